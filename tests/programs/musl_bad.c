/* What musl_loads.c cannot load: nobody defines the function it calls. */
int nobody_has_this(void);
int bad_entry(void);

int bad_entry(void) { return nobody_has_this(); }
