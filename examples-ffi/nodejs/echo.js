// A FastCGI program on koffi: answers with its parameters and the body. What can wait is called by .async, in
// a thread of libuv's pool, so that the event loop goes on.
"use strict";

const { promisify } = require("node:util");
const koffi = require("koffi");

const TAKE_SIGNALS = 2;
const SHUT_DOWN = -10001;

const lib = koffi.load("libfcgi.so.0");
const errorText = lib.func("const char *FCGX_ErrorText(int result)");
const requestNew = lib.func("void *FCGX_RequestNew(int socket, int flags)");
const requestNext = later("int FCGX_RequestNext(void *request, int timeout)");
const requestEnd = later("int FCGX_RequestEnd(void *request, int status)");
const requestParamAt = lib.func(
  "void *FCGX_RequestParamAt(void *request, size_t index, _Out_ size_t *name, _Out_ size_t *length)",
);
const requestRead = later("intptr_t FCGX_RequestRead(void *request, void *buffer, size_t size)");
const requestWrite = later("intptr_t FCGX_RequestWrite(void *request, void *data, size_t size)");
const requestLog = later("intptr_t FCGX_RequestLog(void *request, void *text, size_t size)");

function later(prototype) {
  return promisify(lib.func(prototype).async);
}

function check(result) {
  if (result < 0) {
    throw new Error(errorText(result));
  }
  return result;
}

// Returns the parameters as a Map of strings in latin1, in which each byte is a character.
function params(request) {
  const found = new Map();
  const name = [0];
  const length = [0];
  for (let index = 0, entry; (entry = requestParamAt(request, index, name, length)); index++) {
    const text = Buffer.from(koffi.decode(entry, "uint8_t", Number(length[0]))).toString("latin1");
    found.set(text.slice(0, Number(name[0])), text.slice(Number(name[0]) + 1));
  }
  return found;
}

async function serve(request, buffer) {
  const env = params(request);
  const query = env.get("QUERY_STRING") ?? "";
  const head = [
    "Content-Type: application/octet-stream",
    `X-Method: ${env.get("REQUEST_METHOD") ?? ""}`,
    `X-Query: ${query}`,
    `X-Params: ${env.size}`,
    ...(env.has(query) ? [`X-Value: ${env.get(query)}`] : []),
  ];
  const bytes = Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1");
  check(await requestWrite(request, bytes, bytes.length));
  for (let count; (count = check(await requestRead(request, buffer, buffer.length))) > 0; ) {
    check(await requestWrite(request, buffer, count));
  }
  const line = Buffer.from("served by Node.js\n");
  check(await requestLog(request, line, line.length));
  check(await requestEnd(request, query === "status=7" ? 7 : 0));
}

async function main() {
  const request = requestNew(0, TAKE_SIGNALS);
  const buffer = Buffer.alloc(65536);
  for (let result; (result = await requestNext(request, -1)) !== SHUT_DOWN; ) {
    check(result);
    try {
      await serve(request, buffer);
    } catch (error) {
      console.error(error.message);
    }
  }
}

main();
