(* Serves the listen socket on descriptor 0: answers with parameters and the body. *)

open Ctypes

let fcgi = Dl.dlopen ~filename:"libfcgi.so.0" ~flags:[ Dl.RTLD_NOW ]
let foreign name = Foreign.foreign ~from:fcgi ("FCGX_" ^ name)

(* For functions that wait: other threads of OCaml go on meanwhile. *)
let blocking name =
  Foreign.foreign ~from:fcgi ~release_runtime_lock:true ("FCGX_" ^ name)

let request = ptr void
let transfer = request @-> ptr char @-> size_t @-> returning ptrdiff_t
let shut_down = -10001
let take_signals = 2
let error_text = foreign "ErrorText" (int @-> returning string)
let request_new = foreign "RequestNew" (int @-> int @-> returning (ptr_opt void))
let request_free = foreign "RequestFree" (request @-> returning void)
let request_next = blocking "RequestNext" (request @-> int @-> returning int)
let request_end = blocking "RequestEnd" (request @-> int @-> returning int)
let request_read = blocking "RequestRead" transfer
let request_write = blocking "RequestWrite" transfer
let request_log = blocking "RequestLog" transfer

let request_param_at =
  foreign "RequestParamAt"
    (request @-> size_t @-> ptr size_t @-> ptr size_t @-> returning (ptr_opt char))

(* Raises what a negative result means. *)
let check n = if n < 0 then failwith (error_text n) else n
let check_size n = check (Ptrdiff.to_int n)

let params r =
  let name = allocate_n size_t ~count:1 and length = allocate_n size_t ~count:1 in
  let rec from index =
    match request_param_at r (Unsigned.Size_t.of_int index) name length with
    | None -> []
    | Some entry ->
        let length = Unsigned.Size_t.to_int !@length in
        let text = string_from_ptr entry ~length and n = Unsigned.Size_t.to_int !@name in
        (String.sub text 0 n, String.sub text (n + 1) (length - n - 1)) :: from (index + 1)
  in
  from 0

(* Passes a copy in C's memory: OCaml's strings move while the lock is released. *)
let put f r text =
  let copy = CArray.of_string text in
  let size = Unsigned.Size_t.of_int (String.length text) in
  ignore (check_size (f r (CArray.start copy) size))

let size = 65536
let piece = allocate_n char ~count:size

let rec copy_body r =
  let n = check_size (request_read r piece (Unsigned.Size_t.of_int size)) in
  if n > 0 then (
    ignore (check_size (request_write r piece (Unsigned.Size_t.of_int n)));
    copy_body r)

let serve r =
  let env = params r in
  let param name = Option.value (List.assoc_opt name env) ~default:"" in
  let query = param "QUERY_STRING" in
  put request_write r
    (Printf.sprintf
       "Content-Type: application/octet-stream\r\nX-Method: %s\r\nX-Query: %s\r\nX-Params: %d\r\n"
       (param "REQUEST_METHOD") query (List.length env));
  let value = List.assoc_opt query env in
  Option.iter (fun v -> put request_write r ("X-Value: " ^ v ^ "\r\n")) value;
  put request_write r "\r\n";
  copy_body r;
  put request_log r "served by OCaml\n";
  ignore (check (request_end r (if query = "status=7" then 7 else 0)))

let rec loop r =
  let next = request_next r (-1) in
  if next <> shut_down then (
    ignore (check next);
    (try serve r with Failure text -> prerr_endline ("echo: " ^ text));
    loop r)

let () =
  match request_new 0 take_signals with
  | None -> raise Out_of_memory
  | Some r -> Fun.protect (fun () -> loop r) ~finally:(fun () -> request_free r)
