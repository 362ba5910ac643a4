#ifdef __cplusplus
}
#endif

#endif /* FCGI_REQUEST_H */
