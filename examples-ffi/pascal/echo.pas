{ Serves the listen socket on descriptor 0: answers with parameters and the body. }
program Echo;

{$mode objfpc}{$H+}
{$linklib fcgi}

uses
  ctypes, SysUtils;

const
  FCGX_SHUT_DOWN = -10001;
  FCGX_TAKE_SIGNALS = 2;

type
  PRequest = type Pointer;
  EFastCGI = class(Exception);

function FCGX_ErrorText(AResult: cint): PChar; cdecl; external;
function FCGX_RequestNew(Socket, Flags: cint): PRequest; cdecl; external;
procedure FCGX_RequestFree(Request: PRequest); cdecl; external;
function FCGX_RequestNext(Request: PRequest; Timeout: cint): cint; cdecl; external;
function FCGX_RequestEnd(Request: PRequest; Status: cint): cint; cdecl; external;
function FCGX_RequestParam(Request: PRequest; Name: PChar; var Length: csize_t): PChar; cdecl; external;
function FCGX_RequestParamAt(Request: PRequest; Index: csize_t; Name, Length: pcsize_t): PChar; cdecl; external;
function FCGX_RequestRead(Request: PRequest; Buffer: Pointer; Size: csize_t): PtrInt; cdecl; external;
function FCGX_RequestWrite(Request: PRequest; Data: Pointer; Size: csize_t): PtrInt; cdecl; external;
function FCGX_RequestLog(Request: PRequest; Text: Pointer; Size: csize_t): PtrInt; cdecl; external;

{ Raises what a negative result means. }
function Checked(AResult: PtrInt): PtrInt;
begin
  if AResult < 0 then
    raise EFastCGI.Create(FCGX_ErrorText(AResult));
  Result := AResult;
end;

function Param(Request: PRequest; const Name: RawByteString; out Value: RawByteString): Boolean;
var
  Text: PChar;
  Size: csize_t;
begin
  Size := 0;
  Text := FCGX_RequestParam(Request, PChar(Name), Size);
  SetString(Value, Text, Size);
  Result := Text <> nil;
end;

procedure Serve(Request: PRequest);
const
  Line = 'served by Free Pascal'#10;
var
  Method, Query, Value, Head: RawByteString;
  Piece: array[0..65535] of Byte;
  Count, Size: PtrInt;
begin
  Count := 0;
  while FCGX_RequestParamAt(Request, Count, nil, nil) <> nil do
    Inc(Count);
  Param(Request, 'REQUEST_METHOD', Method);
  Param(Request, 'QUERY_STRING', Query);
  Head := 'Content-Type: application/octet-stream'#13#10'X-Method: ' + Method + #13#10'X-Query: ' + Query
    + #13#10'X-Params: ' + IntToStr(Count) + #13#10;
  if Param(Request, Query, Value) then
    Head := Head + 'X-Value: ' + Value + #13#10;
  Head := Head + #13#10;
  Checked(FCGX_RequestWrite(Request, Pointer(Head), Length(Head)));
  repeat
    Size := Checked(FCGX_RequestRead(Request, @Piece, SizeOf(Piece)));
    Checked(FCGX_RequestWrite(Request, @Piece, Size));
  until Size = 0;
  Checked(FCGX_RequestLog(Request, PChar(Line), Length(Line)));
  Checked(FCGX_RequestEnd(Request, Ord(Query = 'status=7') * 7));
end;

var
  Request: PRequest;
  Next: cint;
begin
  Request := FCGX_RequestNew(0, FCGX_TAKE_SIGNALS);
  if Request = nil then
    raise EOutOfMemory.Create('out of memory');
  repeat
    Next := FCGX_RequestNext(Request, -1);
    if Next = FCGX_SHUT_DOWN then
      Break;
    Checked(Next);
    try
      Serve(Request);
    except
      on E: EFastCGI do
      begin
        WriteLn(StdErr, 'echo: ', E.Message);
        Flush(StdErr);
      end;
    end;
  until False;
  FCGX_RequestFree(Request);
end.
