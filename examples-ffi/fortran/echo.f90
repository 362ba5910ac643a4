! Serves the listen socket on descriptor 0: answers with parameters and the body.

program echo
  use fcgi
  use, intrinsic :: iso_fortran_env, only: error_unit
  implicit none

  character(*), parameter :: crlf = achar(13) // achar(10), line = "served by Fortran" // achar(10)
  type(c_ptr) :: request
  integer(c_intptr_t) :: result

  request = request_new(0, fcgx_take_signals)
  if (.not. c_associated(request)) error stop "echo: out of memory"
  do
    result = request_next(request, -1)
    if (result == fcgx_shut_down) exit
    if (result < 0) then
      call report(result)
      error stop
    end if
    result = serve()
    if (result < 0) call report(result)
  end do
  call request_free(request)

contains

  ! Answers a request and ends it. The result is negative on failure.
  integer(c_intptr_t) function serve() result(result)
    character(:), allocatable :: query, head
    character(65536) :: piece
    character(20) :: number
    integer(c_size_t) :: count, name, length

    count = 0
    do while (c_associated(request_param_at(request, count, name, length)))
      count = count + 1
    end do
    write (number, "(i0)") count
    query = param("QUERY_STRING")
    head = "Content-Type: application/octet-stream" // crlf // "X-Method: " // param("REQUEST_METHOD") // crlf &
      // "X-Query: " // query // crlf // "X-Params: " // trim(number) // crlf
    if (c_associated(request_param(request, query // c_null_char, length))) then
      head = head // "X-Value: " // param(query) // crlf
    end if
    head = head // crlf
    result = request_write(request, head, len(head, c_size_t))
    do while (result >= 0)
      result = request_read(request, piece, len(piece, c_size_t))
      if (result <= 0) exit
      result = request_write(request, piece, int(result, c_size_t))
    end do
    if (result >= 0) result = request_log(request, line, len(line, c_size_t))
    if (result >= 0) result = request_end(request, merge(7_c_int, 0_c_int, query == "status=7"))
  end function

  ! Writes what a negative result means.
  subroutine report(result)
    integer(c_intptr_t), intent(in) :: result
    type(c_ptr) :: text

    text = error_text(int(result, c_int))
    write (error_unit, "(2a)") "echo: ", bytes(text, strlen(text))
    flush (error_unit)
  end subroutine

  ! Returns the parameter of a name, empty without one.
  function param(name)
    character(*), intent(in) :: name
    character(:), allocatable :: param
    type(c_ptr) :: value
    integer(c_size_t) :: length

    value = request_param(request, name // c_null_char, length)
    param = ""
    if (c_associated(value)) param = bytes(value, length)
  end function

  function bytes(address, length)
    type(c_ptr), intent(in) :: address
    integer(c_size_t), intent(in) :: length
    character(length) :: bytes
    character(kind=c_char), pointer :: each(:)

    call c_f_pointer(address, each, [length])
    bytes = transfer(each, bytes)
  end function
end program
