<?php

// A FastCGI program on PHP's FFI: answers with its parameters and the body.

declare(strict_types=1);

const TAKE_SIGNALS = 2;
const SHUT_DOWN = -10001;

$fcgi = FFI::cdef(<<<'C'
    const char *FCGX_ErrorText(int result);
    void *FCGX_RequestNew(int socket, int flags);
    int FCGX_RequestNext(void *request, int timeout);
    int FCGX_RequestEnd(void *request, int status);
    char *FCGX_RequestParamAt(void *request, size_t index, size_t *name, size_t *length);
    ptrdiff_t FCGX_RequestRead(void *request, void *buffer, size_t size);
    ptrdiff_t FCGX_RequestWrite(void *request, const char *data, size_t size);
    ptrdiff_t FCGX_RequestLog(void *request, const char *text, size_t size);
    C, 'libfcgi.so.0');

function check(FFI $fcgi, int $result): int
{
    if ($result < 0) {
        throw new RuntimeException($fcgi->FCGX_ErrorText($result), $result);
    }
    return $result;
}

function params(FFI $fcgi, FFI\CData $request): iterable
{
    [$name, $length] = [FFI::new('size_t'), FFI::new('size_t')];
    $at = [FFI::addr($name), FFI::addr($length)];
    for ($index = 0; $text = $fcgi->FCGX_RequestParamAt($request, $index, ...$at); $index++) {
        $entry = FFI::string($text, $length->cdata);
        yield substr($entry, 0, $name->cdata) => substr($entry, $name->cdata + 1);
    }
}

function serve(FFI $fcgi, FFI\CData $request, FFI\CData $buffer): void
{
    $env = iterator_to_array(params($fcgi, $request));
    $query = $env['QUERY_STRING'] ?? '';
    $head = "Content-Type: application/octet-stream\r\nX-Method: " . ($env['REQUEST_METHOD'] ?? '')
        . "\r\nX-Query: $query\r\nX-Params: " . count($env) . "\r\n";
    if (isset($env[$query])) {
        $head .= "X-Value: $env[$query]\r\n";
    }
    $head .= "\r\n";
    check($fcgi, $fcgi->FCGX_RequestWrite($request, $head, strlen($head)));
    while ($count = check($fcgi, $fcgi->FCGX_RequestRead($request, $buffer, FFI::sizeof($buffer)))) {
        check($fcgi, $fcgi->FCGX_RequestWrite($request, FFI::string($buffer, $count), $count));
    }
    $line = "served by PHP\n";
    check($fcgi, $fcgi->FCGX_RequestLog($request, $line, strlen($line)));
    check($fcgi, $fcgi->FCGX_RequestEnd($request, $query === 'status=7' ? 7 : 0));
}

$request = $fcgi->FCGX_RequestNew(0, TAKE_SIGNALS);
$buffer = FFI::new('char[65536]');
while (($result = $fcgi->FCGX_RequestNext($request, -1)) !== SHUT_DOWN) {
    check($fcgi, $result);
    try {
        serve($fcgi, $request, $buffer);
    } catch (RuntimeException $error) {
        fwrite(STDERR, $error->getMessage() . "\n");
    }
}
