--  Serves the listen socket on descriptor 0: answers with parameters and
--  the body. gcc -fdump-ada-spec makes fcgi_request_h and stddef_h.

with Ada.Exceptions;       use Ada.Exceptions;
with Ada.Text_IO;          use Ada.Text_IO;
with Interfaces.C;         use Interfaces.C;
with Interfaces.C.Strings; use Interfaces.C.Strings;

with fcgi_request_h; use fcgi_request_h;
with stddef_h;

procedure Echo is
   FastCGI_Error : exception;

   CRLF : constant String := ASCII.CR & ASCII.LF;

   --  Raises what a negative result means.
   procedure Check (Result : stddef_h.ptrdiff_t) is
   begin
      if Result < 0 then
         raise FastCGI_Error with Value (FCGX_ErrorText (int (Result)));
      end if;
   end Check;

   Request : constant access FCGX_Request :=
     FCGX_RequestNew (0, FCGX_TAKE_SIGNALS);

   --  Returns Before, the parameter and After, or nothing without it.
   function Param (Name : String; Before, After : String := "") return String
   is
      C_Name : chars_ptr := New_String (Name);
      Length : aliased stddef_h.size_t;
      Text   : constant chars_ptr :=
        FCGX_RequestParam (Request, C_Name, Length'Access);
   begin
      Free (C_Name);
      return (if Text = Null_Ptr then ""
              else Before & Value (Text, size_t (Length)) & After);
   end Param;

   procedure Write (Text : String) is
   begin
      Check (FCGX_RequestWrite (Request, Text'Address, Text'Length));
   end Write;

   procedure Serve is
      Query : constant String := Param ("QUERY_STRING");
      Log   : constant String := "served by Ada" & ASCII.LF;
      Piece : String (1 .. 65_536);
      Count : stddef_h.size_t := 0;
      Size  : stddef_h.ptrdiff_t;
   begin
      while FCGX_RequestParamAt (Request, Count, null, null) /= Null_Ptr
      loop
         Count := Count + 1;
      end loop;
      Write ("Content-Type: application/octet-stream" & CRLF
             & "X-Method: " & Param ("REQUEST_METHOD") & CRLF
             & "X-Query: " & Query & CRLF
             & "X-Params:" & Count'Image & CRLF
             & Param (Query, "X-Value: ", CRLF) & CRLF);
      loop
         Size := FCGX_RequestRead (Request, Piece'Address, Piece'Length);
         Check (Size);
         exit when Size = 0;
         Write (Piece (1 .. Natural (Size)));
      end loop;
      Check (FCGX_RequestLog (Request, Log'Address, Log'Length));
      Check (stddef_h.ptrdiff_t (FCGX_RequestEnd
               (Request, (if Query = "status=7" then 7 else 0))));
   end Serve;

   Next : int;
begin
   if Request = null then
      raise Storage_Error;
   end if;
   loop
      Next := FCGX_RequestNext (Request, -1);
      exit when Next = FCGX_SHUT_DOWN;
      Check (stddef_h.ptrdiff_t (Next));
      begin
         Serve;
      exception
         when Error : FastCGI_Error =>
            Put_Line (Standard_Error, "echo: " & Exception_Message (Error));
      end;
   end loop;
   FCGX_RequestFree (Request);
end Echo;
