/*
 * fastcgi.h: the numbers and record layouts of the FastCGI Specification 1.0, for C programs that
 * speak the protocol themselves. Programs that serve requests use fcgiapp.h or fcgi_stdio.h.
 */
#ifndef _FASTCGI_H
#define _FASTCGI_H
