/* What the program needs of fcgiapp.h. */
[CCode (cheader_filename = "fcgiapp.h", cprefix = "FCGX_", lower_case_cprefix = "FCGX_")]
namespace FCGX {
    [CCode (cname = "FCGX_Init")]
    public int init ();

    [CCode (cname = "FCGX_GetParam")]
    public unowned string? get_param (string name, [CCode (array_length = false)] string[] envp);

    [Compact]
    [CCode (cname = "FCGX_Stream", free_function = "")]
    public class Stream {
        [CCode (cname = "FCGX_GetStr", instance_pos = -1)]
        public int read ([CCode (array_length_type = "int")] uint8[] room);

        [CCode (cname = "FCGX_PutStr", instance_pos = -1)]
        public int write ([CCode (array_length_type = "int")] uint8[] bytes);

        [CCode (cname = "FCGX_PutS", instance_pos = -1)]
        public int put (string text);
    }

    [CCode (cname = "FCGX_Request", destroy_function = "", has_type_id = false)]
    public struct Request {
        public unowned Stream @in;
        public unowned Stream @out;
        public unowned Stream err;
        [CCode (array_length = false, array_null_terminated = true)]
        public unowned string[] envp;

        [CCode (cname = "FCGX_InitRequest")]
        public Request (int socket, int flags);

        [CCode (cname = "FCGX_Accept_r")]
        public int accept ();

        [CCode (cname = "FCGX_Finish_r")]
        public void finish ();
    }
}
