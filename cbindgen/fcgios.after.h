#ifdef __cplusplus
}
#endif

#endif /* _FCGIOS_H */
