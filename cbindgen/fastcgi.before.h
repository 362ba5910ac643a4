#ifndef _FASTCGI_H
#define _FASTCGI_H
