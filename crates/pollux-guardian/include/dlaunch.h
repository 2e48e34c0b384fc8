/* The parameters of PROCESS_LAUNCH_. A pointer that is NIL_ or a length of 0 leaves a name out. */
#ifndef POLLUX_DLAUNCH_H
#define POLLUX_DLAUNCH_H
#pragma GCC system_header

#include <pollux/types.h>

#define NIL_ 0
/* The version of the structure that this header describes. */
#define P_L_VERSION_ 1

typedef struct process_launch_parms_def {
    short version;
    short length;
    char *program_name;
    int32_t program_name_len;
    char *library_name;
    int32_t library_name_len;
    char *swapfile_name;
    int32_t swapfile_name_len;
    char *extswapfile_name;
    int32_t extswapfile_name_len;
    char *process_name;
    int32_t process_name_len;
    char *hometerm_name;
    int32_t hometerm_name_len;
    char *defines;
    int32_t defines_len;
    int32_t nowait_tag;
    int32_t pfs_size;
    int32_t mainstack_max;
    int32_t heap_max;
    int32_t space_guarantee;
    int32_t create_options;
    short name_options;
    short debug_options;
    short priority;
    short cpu;
    short memory_pages;
    short jobid;
} process_launch_parms_def;

/* Nothing given: waited (tag -1), the creator's CPU and priority (-1), its job (-1). */
#define P_L_DEFAULT_PARMS_                                                                                      \
    {                                                                                                           \
        P_L_VERSION_, sizeof(process_launch_parms_def), NIL_, 0, NIL_, 0, NIL_, 0, NIL_, 0, NIL_, 0, NIL_, 0,   \
            NIL_, 0, -1, 0, 0, 0, 0, 0, 0, 0, -1, -1, 0, -1                                                     \
    }

#endif
