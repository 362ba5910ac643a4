// Serves the listen socket on descriptor 0: answers with parameters and the body.

using System;
using System.Collections.Generic;
using System.IO;
using System.Runtime.InteropServices;
using System.Text;

static class Fcgi
{
    public const int ShutDown = -10001;
    public const int TakeSignals = 2;
    const string Library = "libfcgi.so.0";

    [DllImport(Library)] public static extern IntPtr FCGX_ErrorText(int result);
    [DllImport(Library)] public static extern IntPtr FCGX_RequestNew(int socket, int flags);
    [DllImport(Library)] public static extern void FCGX_RequestFree(IntPtr request);
    [DllImport(Library)] public static extern int FCGX_RequestNext(IntPtr request, int timeout);
    [DllImport(Library)] public static extern int FCGX_RequestEnd(IntPtr request, int status);
    [DllImport(Library)] public static extern IntPtr FCGX_RequestParamAt(
        IntPtr request, UIntPtr index, out UIntPtr name, out UIntPtr length);
    [DllImport(Library)] public static extern IntPtr FCGX_RequestRead(IntPtr request, byte[] buffer, UIntPtr size);
    [DllImport(Library)] public static extern IntPtr FCGX_RequestWrite(IntPtr request, byte[] data, UIntPtr size);
    [DllImport(Library)] public static extern IntPtr FCGX_RequestLog(IntPtr request, byte[] text, UIntPtr size);
}

static class Echo
{
    // Each char is a byte.
    static readonly Encoding Latin1 = Encoding.GetEncoding("ISO-8859-1");

    // Throws what a negative result means.
    static int Check(long result)
    {
        if (result < 0)
        {
            throw new IOException(Marshal.PtrToStringAnsi(Fcgi.FCGX_ErrorText((int)result)));
        }
        return (int)result;
    }

    static Dictionary<string, string> Params(IntPtr request)
    {
        var found = new Dictionary<string, string>();
        for (uint i = 0; ; i++)
        {
            UIntPtr name, length;
            IntPtr entry = Fcgi.FCGX_RequestParamAt(request, (UIntPtr)i, out name, out length);
            if (entry == IntPtr.Zero)
            {
                return found;
            }
            var bytes = new byte[(int)length];
            Marshal.Copy(entry, bytes, 0, bytes.Length);
            string text = Latin1.GetString(bytes);
            found[text.Substring(0, (int)name)] = text.Substring((int)name + 1);
        }
    }

    static void Serve(IntPtr request)
    {
        var env = Params(request);
        string method, query, value;
        env.TryGetValue("REQUEST_METHOD", out method);
        env.TryGetValue("QUERY_STRING", out query);
        string head = "Content-Type: application/octet-stream\r\nX-Method: " + method + "\r\nX-Query: " + query
            + "\r\nX-Params: " + env.Count + "\r\n";
        if (env.TryGetValue(query ?? "", out value))
        {
            head += "X-Value: " + value + "\r\n";
        }
        byte[] bytes = Latin1.GetBytes(head + "\r\n");
        Check((long)Fcgi.FCGX_RequestWrite(request, bytes, (UIntPtr)bytes.Length));
        var piece = new byte[65536];
        int size;
        while ((size = Check((long)Fcgi.FCGX_RequestRead(request, piece, (UIntPtr)piece.Length))) > 0)
        {
            Check((long)Fcgi.FCGX_RequestWrite(request, piece, (UIntPtr)size));
        }
        byte[] line = Latin1.GetBytes("served by Mono\n");
        Check((long)Fcgi.FCGX_RequestLog(request, line, (UIntPtr)line.Length));
        Check(Fcgi.FCGX_RequestEnd(request, query == "status=7" ? 7 : 0));
    }

    static void Main()
    {
        IntPtr request = Fcgi.FCGX_RequestNew(0, Fcgi.TakeSignals);
        if (request == IntPtr.Zero)
        {
            throw new OutOfMemoryException();
        }
        int next;
        while ((next = Fcgi.FCGX_RequestNext(request, -1)) != Fcgi.ShutDown)
        {
            Check(next);
            try
            {
                Serve(request);
            }
            catch (IOException error)
            {
                Console.Error.WriteLine("echo: " + error.Message);
            }
        }
        Fcgi.FCGX_RequestFree(request);
    }
}
