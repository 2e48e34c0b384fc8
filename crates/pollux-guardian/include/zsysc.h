/* System messages, receive information and the literals that procedures take. Every structure is laid out on 2-byte
   boundaries, with numbers in the byte order of the host. */
#ifndef POLLUX_ZSYSC_H
#define POLLUX_ZSYSC_H
#pragma GCC system_header

#include <pollux/types.h>

#pragma pack(push, 2)

/* Lengths of names, in bytes, and of a process handle, in words. */
#define ZSYS_VAL_LEN_FILENAME 47
#define ZSYS_VAL_LEN_PROCESSNAME 15
#define ZSYS_VAL_LEN_PROCESSDESCR 33
#define ZSYS_VAL_LEN_UNIQUEPROCESSNAME 23
#define ZSYS_VAL_LEN_SYSTEMNAME 8
#define ZSYS_VAL_LEN_NODENAME 8
#define ZSYS_VAL_PHANDLE_WLEN 10
#define ZSYS_VAL_PHANDLE_BLEN 20
#define ZSYS_VAL_PHANDLE_WTYPE_NULL (-1)
#define ZSYS_VAL_PHANDLE_TYPE_NULL 255

/* Opens: access, exclusion, options. */
#define ZSYS_VAL_OPENACC_READWRITE 0
#define ZSYS_VAL_OPENACC_READONLY 1
#define ZSYS_VAL_OPENACC_WRITEONLY 2
#define ZSYS_VAL_OPENACC_EXTEND 3
#define ZSYS_VAL_OPENEXCL_SHARED 0
#define ZSYS_VAL_OPENEXCL_EXCLUSIVE 1
#define ZSYS_VAL_OPENEXCL_PROCEXCL 2
#define ZSYS_VAL_OPENEXCL_PROTECTED 3
#define ZSYS_VAL_OPENOPT_UNSTRUCTACC (-32768)
#define ZSYS_VAL_OPENOPT_NOWAITOPEN 16384
#define ZSYS_VAL_OPENOPT_NOOPENTIME 8192
#define ZSYS_VAL_OPENOPT_BACKUPFNUMANY 4096
#define ZSYS_VAL_OPENOPT_OSSPATHNAME 32
#define ZSYS_VAL_OPENOPT_NOTRANS 8
#define ZSYS_VAL_OPENOPT_LOCALESUPPORT 4
#define ZSYS_VAL_OPENOPT_OLDFMTSYSMSG 2
#define ZSYS_VAL_OPENOPT_NOSYSTEMMSGS 1

/* What the sender of a message did. */
#define ZSYS_VAL_RCV_IOTYPE_SYSTEMMSG 0
#define ZSYS_VAL_RCV_IOTYPE_WRITE 1
#define ZSYS_VAL_RCV_IOTYPE_READ 2
#define ZSYS_VAL_RCV_IOTYPE_WRITEREAD 3

/* Process creation: name options. */
#define ZSYS_VAL_PCREATOPT_NONAME 0
#define ZSYS_VAL_PCREATOPT_NAMEINCALL 1
#define ZSYS_VAL_PCREATOPT_NAMEDBYSYS 2
#define ZSYS_VAL_PCREATOPT_CALLERSNAME 3
#define ZSYS_VAL_PCREATOPT_NAMEDBYSYS5 4

/* Process creation: create options and debug options. */
#define ZSYS_VAL_PCREATOPT_ANYANCESTOR 64
#define ZSYS_VAL_PCREATOPT_FRCLOWOVER 32
#define ZSYS_VAL_PCREATOPT_ALLDEFINES 16
#define ZSYS_VAL_PCREATOPT_DEFINELIST 8
#define ZSYS_VAL_PCREATOPT_DEFOVERRIDE 4
#define ZSYS_VAL_PCREATOPT_DEFENABLED 2
#define ZSYS_VAL_PCREATOPT_LOWPIN 1
#define ZSYS_VAL_PCREATOPT_RUND 8
#define ZSYS_VAL_PCREATOPT_SAVEABEND 4
#define ZSYS_VAL_PCREATOPT_DBGOVERRIDE 2
#define ZSYS_VAL_PCREATOPT_INSPECT 1

/* Attributes of a process. */
#define ZSYS_VAL_PINF_CREATOR_AID 1
#define ZSYS_VAL_PINF_PROCESS_AID 2
#define ZSYS_VAL_PINF_MAX_PRIORITY 3
#define ZSYS_VAL_PINF_PROGRAM_FILE 4
#define ZSYS_VAL_PINF_HOMETERM 5
#define ZSYS_VAL_PINF_GMOM_PHANDLE 6
#define ZSYS_VAL_PINF_JOBID 7
#define ZSYS_VAL_PINF_SUBDEVICE_TYPE 8
#define ZSYS_VAL_PINF_MIN_PRIORITY 9
#define ZSYS_VAL_PINF_MIN_CREATETIME 12
#define ZSYS_VAL_PINF_MAX_CREATETIME 13
#define ZSYS_VAL_PINF_PROCESS_TYPE 28
#define ZSYS_VAL_PINF_PROCESS_TIME 30
#define ZSYS_VAL_PINF_WAIT_STATE 31
#define ZSYS_VAL_PINF_PROCESS_STATE 32
#define ZSYS_VAL_PINF_LIBRARY_FILE 33
#define ZSYS_VAL_PINF_SWAP_FILE 34
#define ZSYS_VAL_PINF_DEFINE_MODE 36
#define ZSYS_VAL_PINF_PIN 38
#define ZSYS_VAL_PINF_PROCESS_DESCR 39
#define ZSYS_VAL_PINF_MOM_PHANDLE 40
#define ZSYS_VAL_PINF_FILE_SECURITY 41
#define ZSYS_VAL_PINF_CURRENT_PRIORITY 42
#define ZSYS_VAL_PINF_INITIAL_PRIORITY 43
#define ZSYS_VAL_PINF_REMOTE_CREATOR 44
#define ZSYS_VAL_PINF_LOGON_STATE 45
#define ZSYS_VAL_PINF_PRIMARY 47
#define ZSYS_VAL_PINF_PHANDLE 48
#define ZSYS_VAL_PINF_QUAL_INFO_AVAIL 49
#define ZSYS_VAL_PINF_FORCED_LOW 51
#define ZSYS_VAL_PINF_CREATION_TIME 53
#define ZSYS_VAL_PINF_PAGES 54
#define ZSYS_VAL_PINF_MSGS_SENT 55
#define ZSYS_VAL_PINF_MSGS_RCVD 56
#define ZSYS_VAL_PINF_RCVQ_LEN 57
#define ZSYS_VAL_PINF_RCVQ_MAX_LEN 58
#define ZSYS_VAL_PINF_PAGE_FAULTS 59
#define ZSYS_VAL_PINF_IS_NAMED 62
#define ZSYS_VAL_PINF_MOMS_NAME 65
#define ZSYS_VAL_PINF_GMOMS_NAME 66
#define ZSYS_VAL_PINF_ATTRIBUTE_FLAG 73
#define ZSYS_VAL_PINF_OSS_PID 90

/* Searches over processes. */
#define ZSYS_VAL_PINF_FIND_EXACT 0
#define ZSYS_VAL_PINF_FIND_FIRST 1
#define ZSYS_VAL_PINF_FIND_MANY 2
#define ZSYS_VAL_PINF_FIND_OSSPID 3

/* System messages. */
#define ZSYS_VAL_SMSG_CPUDOWN (-2)
#define ZSYS_VAL_SMSG_CPUUP (-3)
#define ZSYS_VAL_SMSG_SETTIME (-10)
#define ZSYS_VAL_SMSG_POWERON (-11)
#define ZSYS_VAL_SMSG_MSGMISSED (-13)
#define ZSYS_VAL_SMSG_3270 (-21)
#define ZSYS_VAL_SMSG_TIMESIGNAL (-22)
#define ZSYS_VAL_SMSG_LOCKMEM (-23)
#define ZSYS_VAL_SMSG_LOCKMEMFAIL (-24)
#define ZSYS_VAL_SMSG_PROCTIMESIG (-26)
#define ZSYS_VAL_SMSG_CONTROL (-32)
#define ZSYS_VAL_SMSG_SETMODE (-33)
#define ZSYS_VAL_SMSG_RESETSYNC (-34)
#define ZSYS_VAL_SMSG_CONTROLBUF (-35)
#define ZSYS_VAL_SMSG_SETPARAM (-37)
#define ZSYS_VAL_SMSG_QMSGCANCELLED (-38)
#define ZSYS_VAL_SMSG_DEVINFOCOMP (-41)
#define ZSYS_VAL_SMSG_REMOTECPUDOWN (-100)
#define ZSYS_VAL_SMSG_PROCDEATH (-101)
#define ZSYS_VAL_SMSG_PROCCREATE (-102)
#define ZSYS_VAL_SMSG_OPEN (-103)
#define ZSYS_VAL_SMSG_CLOSE (-104)
#define ZSYS_VAL_SMSG_BREAK (-105)
#define ZSYS_VAL_SMSG_DEVINFO (-106)
#define ZSYS_VAL_SMSG_SUBNAME (-107)
#define ZSYS_VAL_SMSG_FILEINFO (-108)
#define ZSYS_VAL_SMSG_FILENAMENEXT (-109)
#define ZSYS_VAL_SMSG_NODEDOWN (-110)
#define ZSYS_VAL_SMSG_NODEUP (-111)
#define ZSYS_VAL_SMSG_GMOMNOTIFY (-112)
#define ZSYS_VAL_SMSG_REMOTECPUUP (-113)
#define ZSYS_VAL_SMSG_PROCSPAWN (-141)
#define ZSYS_VAL_SMSG_LEN 250

/* Within messages: reasons and flags. */
#define ZSYS_VAL_SETTIME_INITIAL 0
#define ZSYS_VAL_SETTIME_CORRECTION 1
#define ZSYS_VAL_SETTIME_DST 2
#define ZSYS_MSK_SETMD_PARM1_VALID 4
#define ZSYS_MSK_SETMD_PARM2_VALID 2
#define ZSYS_MSK_SETMD_LPARM_VALID 1
#define ZSYS_MSK_PDEATH_ABENDED 1
#define ZSYS_MSK_PDEATH_SYSTYPE 2
#define ZSYS_MSK_OPEN_BACKUPOPEN 1
#define ZSYS_MSK_OPEN_DIFF_NODE 2
#define ZSYS_MSK_OPEN_IDNOT_VERIF 4

/* Completion codes. */
#define ZSYS_VAL_PROCDEATH_STOP 0
#define ZSYS_VAL_PROCDEATH_WARNING 1
#define ZSYS_VAL_PROCDEATH_FATAL 2
#define ZSYS_VAL_PROCDEATH_PREMATURE 3
#define ZSYS_VAL_PROCDEATH_NEVERSTARTED 4
#define ZSYS_VAL_PROCDEATH_ABEND 5
#define ZSYS_VAL_PROCDEATH_EXTERNAL 6
#define ZSYS_VAL_PROCDEATH_RESTART 7
#define ZSYS_VAL_PROCDEATH_LISTING 8
#define ZSYS_VAL_PROCDEATH_SIGNAL 9
#define ZSYS_VAL_PROCDEATH_TRAP (-1)
#define ZSYS_VAL_PROCDEATH_NORESOURCE (-2)
#define ZSYS_VAL_PROCDEATH_BADPARAMS (-3)
#define ZSYS_VAL_PROCDEATH_CPUDOWN (-4)
#define ZSYS_VAL_PROCDEATH_COMMFAILURE (-5)
#define ZSYS_VAL_PROCDEATH_HWEXCEPTION (-6)
#define ZSYS_VAL_PROCDEATH_STATEINVAL (-7)
#define ZSYS_VAL_PROCDEATH_STACKOVFLOW (-8)
#define ZSYS_VAL_PROCDEATH_NOPRIVSTACK (-9)
#define ZSYS_VAL_PROCDEATH_NOSIGRESRCE (-10)
#define ZSYS_VAL_PROCDEATH_CANTRESUME (-11)
#define ZSYS_VAL_PROCDEATH_CHILDEXEC (-12)
#define ZSYS_VAL_PROCDEATH_PSPAWNFSERR (-13)

/* A process handle. The contents are private; the first word is -1 if it is null. */
typedef struct zsys_ddl_phandle_def {
    union {
        struct {
            unsigned char ztype;
            char zfiller[19];
        } z_data;
        short z_word[10];
        unsigned char z_byte[20];
    } u_z_data;
} zsys_ddl_phandle_def;

/* Where a text lies in a message: bytes from its begin, and bytes. */
typedef struct zsys_ddl_varstring_def {
    short zoffset;
    short zlen;
} zsys_ddl_varstring_def;

/* The owner of termination information. */
typedef struct zsys_ddl_ssid_def {
    char z_owner[8];
    short z_number;
    short z_version;
} zsys_ddl_ssid_def;

/* FILE_GETRECEIVEINFO_: 17 words. */
typedef struct zsys_ddl_receiveinformation_def {
    short z_iotype;
    short z_maxreplycount;
    short z_messagetag;
    short z_filenum;
    int32_t z_syncid;
    zsys_ddl_phandle_def z_sender;
    short z_openlabel;
} zsys_ddl_receiveinformation_def;

/* FILE_GETRECEIVEINFOL_: 19 words. */
typedef struct zsys_ddl_recvinformation2_def {
    short z_iotype;
    short z_filenum;
    short z_messagetag;
    short z_openlabel;
    int32_t z_maxreplycount;
    int32_t z_syncid;
    zsys_ddl_phandle_def z_sender;
    short z_remainder;
} zsys_ddl_recvinformation2_def;

/* The number of a message goes by two names. */
#define PX_MSGNUMBER                \
    __extension__ union {           \
        short z_msgnumber;          \
        struct {                    \
            short z_msgnumber;      \
        } u_z_msgnumber;            \
    }

typedef struct zsys_ddl_smsg_cpudown_def {
    PX_MSGNUMBER;
    short z_cpunumber;
} zsys_ddl_smsg_cpudown_def;

typedef struct zsys_ddl_smsg_cpuup_def {
    PX_MSGNUMBER;
    short z_cpunumber;
} zsys_ddl_smsg_cpuup_def;

typedef struct zsys_ddl_smsg_settime_def {
    PX_MSGNUMBER;
    short z_cpunumber;
    int64_t z_timedelta;
    short z_reasoncode;
} zsys_ddl_smsg_settime_def;

typedef struct zsys_ddl_smsg_poweron_def {
    PX_MSGNUMBER;
    short z_cpunumber;
} zsys_ddl_smsg_poweron_def;

typedef struct zsys_ddl_smsg_msgmissed_def {
    PX_MSGNUMBER;
} zsys_ddl_smsg_msgmissed_def;

typedef struct zsys_ddl_smsg_timesignal_def {
    PX_MSGNUMBER;
    short z_parm1;
    int32_t z_parm2;
} zsys_ddl_smsg_timesignal_def;

typedef struct zsys_ddl_smsg_lockmem_def {
    PX_MSGNUMBER;
    short z_parm1;
    int32_t z_parm2;
} zsys_ddl_smsg_lockmem_def;

typedef struct zsys_ddl_smsg_lockmemfail_def {
    PX_MSGNUMBER;
    short z_parm1;
    int32_t z_parm2;
} zsys_ddl_smsg_lockmemfail_def;

typedef struct zsys_ddl_smsg_proctimesig_def {
    PX_MSGNUMBER;
    short z_parm1;
    int32_t z_parm2;
} zsys_ddl_smsg_proctimesig_def;

typedef struct zsys_ddl_smsg_control_def {
    PX_MSGNUMBER;
    short z_operation;
    short z_param;
} zsys_ddl_smsg_control_def;

typedef struct zsys_ddl_smsg_setmode_def {
    PX_MSGNUMBER;
    short z_function;
    short z_param1;
    short z_param2;
    short z_flags;
} zsys_ddl_smsg_setmode_def;

typedef struct zsys_ddl_smsg_setmode_reply_def {
    PX_MSGNUMBER;
    short z_param1;
    short z_param2;
} zsys_ddl_smsg_setmode_reply_def;

typedef struct zsys_ddl_smsg_resetsync_def {
    PX_MSGNUMBER;
} zsys_ddl_smsg_resetsync_def;

typedef struct zsys_ddl_smsg_controlbuf_def {
    PX_MSGNUMBER;
    short z_operation;
    short z_count;
    char z_buffer[244];
} zsys_ddl_smsg_controlbuf_def;

typedef struct zsys_ddl_smsg_setparam_def {
    PX_MSGNUMBER;
    short z_function;
    short z_flags;
    short z_count;
    char z_param[242];
} zsys_ddl_smsg_setparam_def;

typedef struct zsys_ddl_smsg_setparam_rply_def {
    PX_MSGNUMBER;
    short z_count;
    char z_lparam[246];
} zsys_ddl_smsg_setparam_rply_def;

typedef struct zsys_ddl_smsg_qmsgcancelled_def {
    PX_MSGNUMBER;
    short z_tag;
} zsys_ddl_smsg_qmsgcancelled_def;

typedef struct zsys_ddl_smsg_devinfocomp_def {
    PX_MSGNUMBER;
    int32_t z_tag;
    short z_error;
    short z_reclen;
    short z_version;
} zsys_ddl_smsg_devinfocomp_def;

typedef struct zsys_ddl_smsg_remotecpudown_def {
    PX_MSGNUMBER;
    int32_t z_nodenumber;
    short z_cpunumber;
    short z_nodename_len;
    short z_reserved[3];
    char z_nodename[8];
} zsys_ddl_smsg_remotecpudown_def;

typedef struct zsys_ddl_smsg_remotecpuup_def {
    PX_MSGNUMBER;
    int32_t z_nodenumber;
    short z_cpunumber;
    short z_nodename_len;
    short z_reserved[3];
    char z_nodename[8];
} zsys_ddl_smsg_remotecpuup_def;

typedef struct zsys_ddl_smsg_nodedown_def {
    PX_MSGNUMBER;
    short z_reserved[3];
    int32_t z_nodenumber;
    short z_nodename_len;
    char z_nodename[8];
} zsys_ddl_smsg_nodedown_def;

typedef struct zsys_ddl_smsg_nodeup_def {
    PX_MSGNUMBER;
    short z_reserved[3];
    int32_t z_nodenumber;
    short z_nodename_len;
    char z_nodename[8];
} zsys_ddl_smsg_nodeup_def;

typedef struct zsys_ddl_smsg_procdeath_def {
    PX_MSGNUMBER;
    zsys_ddl_phandle_def z_phandle;
    int64_t z_cputime;
    short z_jobid;
    short z_completion_code;
    union { short z_termination_code; short z_killer_craid; } u_z_termination_code;
    zsys_ddl_ssid_def z_subsystem;
    zsys_ddl_phandle_def z_killer;
    short z_termtext_len;
    zsys_ddl_varstring_def z_procname;
    short z_flags;
    int32_t z_osspid;
    short z_reserved;
    union { char z_termtext[168]; } u_z_data;
} zsys_ddl_smsg_procdeath_def;

typedef struct zsys_ddl_smsg_proccreate_def {
    PX_MSGNUMBER;
    int32_t z_tag;
    zsys_ddl_phandle_def z_phandle;
    short z_error;
    short z_error_detail;
    short z_procname_len;
    short z_reserved[4];
    union { char z_procname[50]; } u_z_data;
} zsys_ddl_smsg_proccreate_def;

typedef struct zsys_ddl_smsg_open_def {
    PX_MSGNUMBER;
    short z_accessmode;
    short z_exclusionmode;
    short z_nowait;
    short z_syncdepth;
    short z_options;
    short z_paid;
    short z_flags;
    zsys_ddl_phandle_def z_primary;
    short z_qualifier_len;
    zsys_ddl_varstring_def z_opener_name;
    short z_primary_fnum;
    short z_craid;
    zsys_ddl_varstring_def z_hometerm_name;
    short z_reserved[5];
    union { char z_qualifier[190]; } u_z_data;
} zsys_ddl_smsg_open_def;

typedef struct zsys_ddl_smsg_open_reply_def {
    PX_MSGNUMBER;
    short z_openid;
} zsys_ddl_smsg_open_reply_def;

typedef struct zsys_ddl_smsg_close_def {
    PX_MSGNUMBER;
    short z_tapedisposition;
} zsys_ddl_smsg_close_def;

typedef struct zsys_ddl_smsg_break_def {
    PX_MSGNUMBER;
    short z_filenum;
    int32_t z_tag;
} zsys_ddl_smsg_break_def;

typedef struct zsys_ddl_smsg_devinfo_def {
    PX_MSGNUMBER;
    short z_reserved[3];
    short z_qualifier_len;
    char z_qualifier[240];
} zsys_ddl_smsg_devinfo_def;

typedef struct zsys_ddl_smsg_devinfo_reply_def {
    PX_MSGNUMBER;
    short z_devtype;
    short z_devsubtype;
    short z_reserved[3];
    short z_reclen;
} zsys_ddl_smsg_devinfo_reply_def;

typedef struct zsys_ddl_smsg_subname_def {
    PX_MSGNUMBER;
    short z_flags;
    short z_name_len;
    zsys_ddl_varstring_def z_pattern;
    short z_reserved[3];
    union { char z_name[234]; } u_z_data;
} zsys_ddl_smsg_subname_def;

typedef struct zsys_ddl_smsg_subname_reply_def {
    PX_MSGNUMBER;
    struct { short zdevtype; short zdevsubtype; short zreserved[3]; } z_subtype30;
    short z_name_len;
    char z_name[236];
} zsys_ddl_smsg_subname_reply_def;

typedef struct zsys_ddl_smsg_fileinfo_def {
    PX_MSGNUMBER;
    int32_t z_tag;
    short z_error;
    short z_typeinfo[5];
    short z_reclen;
    short z_flags;
} zsys_ddl_smsg_fileinfo_def;

typedef struct zsys_ddl_smsg_filenamenext_def {
    PX_MSGNUMBER;
    short z_searchid;
    short z_error;
    short z_typeinfo[5];
    short z_name_len;
    short z_reserved[5];
    char z_name[220];
} zsys_ddl_smsg_filenamenext_def;

typedef struct zsys_ddl_smsg_gmomnotify_def {
    PX_MSGNUMBER;
    short z_jobid;
    zsys_ddl_phandle_def z_phandle;
} zsys_ddl_smsg_gmomnotify_def;

typedef struct zsys_ddl_smsg_procspawn_def {
    PX_MSGNUMBER;
    short z_reserved[13];
    int32_t z_tag;
    int32_t z_len;
    zsys_ddl_phandle_def z_phandle;
    int32_t z_pid;
    int32_t z_errno;
    short z_tpcerror;
    short z_tpcdetail;
} zsys_ddl_smsg_procspawn_def;

/* Any of them. The first word is the number. */
typedef struct zsys_ddl_smsg_def {
    union {
        short z_msgnumber[125];
        zsys_ddl_smsg_cpudown_def z_cpudown;
        zsys_ddl_smsg_cpuup_def z_cpuup;
        zsys_ddl_smsg_settime_def z_settime;
        zsys_ddl_smsg_poweron_def z_poweron;
        zsys_ddl_smsg_msgmissed_def z_msgmissed;
        zsys_ddl_smsg_timesignal_def z_timesignal;
        zsys_ddl_smsg_lockmem_def z_lockmem;
        zsys_ddl_smsg_lockmemfail_def z_lockmemfail;
        zsys_ddl_smsg_proctimesig_def z_proctimesig;
        zsys_ddl_smsg_control_def z_control;
        zsys_ddl_smsg_setmode_def z_setmode;
        zsys_ddl_smsg_setmode_reply_def z_setmode_reply;
        zsys_ddl_smsg_resetsync_def z_resetsync;
        zsys_ddl_smsg_controlbuf_def z_controlbuf;
        zsys_ddl_smsg_setparam_def z_setparam;
        zsys_ddl_smsg_setparam_rply_def z_setparam_rply;
        zsys_ddl_smsg_qmsgcancelled_def z_qmsgcancelled;
        zsys_ddl_smsg_devinfocomp_def z_devinfocomp;
        zsys_ddl_smsg_remotecpudown_def z_remotecpudown;
        zsys_ddl_smsg_remotecpuup_def z_remotecpuup;
        zsys_ddl_smsg_nodedown_def z_nodedown;
        zsys_ddl_smsg_nodeup_def z_nodeup;
        zsys_ddl_smsg_procdeath_def z_procdeath;
        zsys_ddl_smsg_proccreate_def z_proccreate;
        zsys_ddl_smsg_open_def z_open;
        zsys_ddl_smsg_open_reply_def z_open_reply;
        zsys_ddl_smsg_close_def z_close;
        zsys_ddl_smsg_break_def z_break;
        zsys_ddl_smsg_devinfo_def z_devinfo;
        zsys_ddl_smsg_devinfo_reply_def z_devinfo_reply;
        zsys_ddl_smsg_subname_def z_subname;
        zsys_ddl_smsg_subname_reply_def z_subname_reply;
        zsys_ddl_smsg_fileinfo_def z_fileinfo;
        zsys_ddl_smsg_filenamenext_def z_filenamenext;
        zsys_ddl_smsg_gmomnotify_def z_gmomnotify;
        zsys_ddl_smsg_procspawn_def z_procspawn;
    } u_z_msg;
} zsys_ddl_smsg_def;

#pragma pack(pop)

#endif
