! What the example needs of fcgi_request.h, and the C library's strlen.

module fcgi
  use, intrinsic :: iso_c_binding
  implicit none

  integer(c_int), parameter :: fcgx_shut_down = -10001, fcgx_take_signals = 2

  interface
    type(c_ptr) function error_text(result) bind(c, name="FCGX_ErrorText")
      import
      integer(c_int), value :: result
    end function
    type(c_ptr) function request_new(socket, flags) bind(c, name="FCGX_RequestNew")
      import
      integer(c_int), value :: socket, flags
    end function
    subroutine request_free(request) bind(c, name="FCGX_RequestFree")
      import
      type(c_ptr), value :: request
    end subroutine
    integer(c_int) function request_next(request, timeout) bind(c, name="FCGX_RequestNext")
      import
      type(c_ptr), value :: request
      integer(c_int), value :: timeout
    end function
    integer(c_int) function request_end(request, status) bind(c, name="FCGX_RequestEnd")
      import
      type(c_ptr), value :: request
      integer(c_int), value :: status
    end function
    type(c_ptr) function request_param(request, name, length) bind(c, name="FCGX_RequestParam")
      import
      type(c_ptr), value :: request
      character(kind=c_char), intent(in) :: name(*)
      integer(c_size_t), intent(out) :: length
    end function
    type(c_ptr) function request_param_at(request, index, name, length) bind(c, name="FCGX_RequestParamAt")
      import
      type(c_ptr), value :: request
      integer(c_size_t), value :: index
      integer(c_size_t), intent(out) :: name, length
    end function
    integer(c_intptr_t) function request_read(request, buffer, size) bind(c, name="FCGX_RequestRead")
      import
      type(c_ptr), value :: request
      character(kind=c_char), intent(out) :: buffer(*)
      integer(c_size_t), value :: size
    end function
    integer(c_intptr_t) function request_write(request, data, size) bind(c, name="FCGX_RequestWrite")
      import
      type(c_ptr), value :: request
      character(kind=c_char), intent(in) :: data(*)
      integer(c_size_t), value :: size
    end function
    integer(c_intptr_t) function request_log(request, text, size) bind(c, name="FCGX_RequestLog")
      import
      type(c_ptr), value :: request
      character(kind=c_char), intent(in) :: text(*)
      integer(c_size_t), value :: size
    end function
    integer(c_size_t) function strlen(text) bind(c)
      import
      type(c_ptr), value :: text
    end function
  end interface
end module
