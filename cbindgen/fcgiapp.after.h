#ifdef __cplusplus
}
#endif

#endif /* _FCGIAPP_H */
