--  The package fcgiapp_h is made from fcgiapp.h by gcc -fdump-ada-spec.

with Ada.Characters.Latin_1;
with Interfaces.C;         use Interfaces.C;
with Interfaces.C.Strings; use Interfaces.C.Strings;

with fcgiapp_h; use fcgiapp_h;

procedure Generated is

   CRLF : constant String := Ada.Characters.Latin_1.CR & Ada.Characters.Latin_1.LF;

   Request : aliased FCGX_Request;
   Room    : aliased char_array := (1 .. 4_096 => nul);

   procedure Put (Stream : access FCGX_Stream; Text : String) is
      Bytes   : aliased char_array := To_C (Text, Append_Nul => False);
      Written : constant int :=
        FCGX_PutStr (To_Chars_Ptr (Bytes'Unchecked_Access), Bytes'Length, Stream);
      pragma Unreferenced (Written);
   begin
      null;
   end Put;

   procedure Put_Header (Header, Name : String) is
      C_Name : aliased char_array := To_C (Name);
      Value  : constant chars_ptr :=
        FCGX_GetParam (To_Chars_Ptr (C_Name'Unchecked_Access), FCGX_ParamArray (Request.envp));
   begin
      if Value /= Null_Ptr then
         Put (Request.c_out, Header & ": " & Interfaces.C.Strings.Value (Value) & CRLF);
      end if;
   end Put_Header;

   procedure Serve is
      Bytes  : constant chars_ptr := To_Chars_Ptr (Room'Unchecked_Access);
      Length : int;
   begin
      Put (Request.c_out, "Content-Type: application/octet-stream" & CRLF);
      Put_Header ("X-Method", "REQUEST_METHOD");
      Put_Header ("X-Query", "QUERY_STRING");
      Put_Header ("X-Empty", "EMPTY");
      Put_Header ("X-Long", "LONG");
      Put (Request.c_out, CRLF);
      loop
         Length := FCGX_GetStr (Bytes, Room'Length, Request.c_in);
         exit when Length <= 0;
         Length := FCGX_PutStr (Bytes, Length, Request.c_out);
      end loop;
      Put (Request.err, "served" & Ada.Characters.Latin_1.LF);
   end Serve;

   Is_Ready : constant Boolean :=
     FCGX_Init = 0 and then FCGX_InitRequest (Request'Access, 0, 0) = 0;

begin
   while Is_Ready and then FCGX_Accept_r (Request'Access) = 0 loop
      Serve;
      FCGX_Finish_r (Request'Access);
   end loop;
end Generated;
