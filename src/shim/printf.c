int fcgi_shim_placeholder;
