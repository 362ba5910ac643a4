! A byte a call: FCGI_getchar and FCGI_putchar, parameters from the environment, strings that end with NUL.
module fcgi
  use, intrinsic :: iso_c_binding, only: c_char, c_int, c_null_char
  implicit none
  private
  public :: fcgi_accept, fcgi_getchar, fcgi_putchar, log_line, put, put_header

  interface
    integer(c_int) function fcgi_accept() bind(c, name="FCGI_Accept")
      import :: c_int
    end function

    integer(c_int) function fcgi_getchar() bind(c, name="FCGI_getchar")
      import :: c_int
    end function

    integer(c_int) function fcgi_putchar(byte) bind(c, name="FCGI_putchar")
      import :: c_int
      integer(c_int), value :: byte
    end function

    integer(c_int) function fcgi_puts(text) bind(c, name="FCGI_puts")
      import :: c_char, c_int
      character(kind=c_char), intent(in) :: text(*)
    end function

    subroutine fcgi_perror(text) bind(c, name="FCGI_perror")
      import :: c_char
      character(kind=c_char), intent(in) :: text(*)
    end subroutine
  end interface

contains

  !> Writes a line, which ends with CR LF: FCGI_puts adds the LF.
  subroutine put(line)
    character(*), intent(in) :: line
    integer(c_int) :: ignored

    ignored = fcgi_puts(line // achar(13) // c_null_char)
  end subroutine

  !> Writes a header with the value of a parameter, if that is set.
  subroutine put_header(header, name)
    character(*), intent(in) :: header, name
    character(:), allocatable :: value
    integer :: length, status

    call get_environment_variable(name, length=length, status=status)
    if (status == 1) return
    allocate (character(length) :: value)
    if (length > 0) call get_environment_variable(name, value)
    call put(header // ": " // value)
  end subroutine

  !> Writes a line to the error stream, with the text of errno behind it.
  subroutine log_line(text)
    character(*), intent(in) :: text

    call fcgi_perror(text // c_null_char)
  end subroutine

end module

program bytes
  use, intrinsic :: iso_c_binding, only: c_int
  use fcgi
  implicit none
  integer(c_int) :: byte

  do while (fcgi_accept() >= 0)
    call put("Content-Type: application/octet-stream")
    call put_header("X-Method", "REQUEST_METHOD")
    call put_header("X-Query", "QUERY_STRING")
    call put_header("X-Empty", "EMPTY")
    call put_header("X-Long", "LONG")
    call put("")
    do
      byte = fcgi_getchar()
      if (byte < 0) exit
      byte = fcgi_putchar(byte)
    end do
    call log_line("served")
  end do
end program
