/* The programmatic interface to subsystems is not provided; programs that only name the header compile. */
#ifndef POLLUX_ZSPIC_H
#define POLLUX_ZSPIC_H
#pragma GCC system_header

#include <pollux/types.h>

#pragma pack(push, 2)
/* A subsystem's id: owner, number, version. */
typedef struct zspi_ddl_ssid_def {
    char z_owner[8];
    short z_number;
    short z_version;
} zspi_ddl_ssid_def;
#pragma pack(pop)

#define ZSPI_VAL_TANDEM "TANDEM  "

#endif
