// npu_opcodes.vh : the numbers that commands and error records share with models/isa.py
//
// Included inside a module, so that the names stay in its scope.
/* verilator lint_off UNUSEDPARAM */
localparam [7:0] OP_LOAD = 8'd1;
localparam [7:0] OP_STORE = 8'd2;
localparam [7:0] OP_CONV = 8'd3;
localparam [7:0] OP_POOL = 8'd4;
localparam [7:0] OP_END = 8'd15;
localparam [1:0] POOL_MAX = 2'd0;
localparam [1:0] POOL_AVERAGE = 2'd1;
localparam [3:0] CAUSE_NONE = 4'd0;
localparam [3:0] CAUSE_OPCODE = 4'd1;
localparam [3:0] CAUSE_FIELD = 4'd2;
localparam [3:0] CAUSE_OVERRUN = 4'd3;
localparam [3:0] CAUSE_READ_SLVERR = 4'd4;
localparam [3:0] CAUSE_READ_DECERR = 4'd5;
localparam [3:0] CAUSE_WRITE_SLVERR = 4'd6;
localparam [3:0] CAUSE_WRITE_DECERR = 4'd7;
localparam [3:0] CAUSE_WATCHDOG = 4'd8;
localparam [3:0] CAUSE_STOPPED = 4'd9;
localparam [3:0] CAUSE_READ_WINDOW = 4'd10;
localparam [3:0] CAUSE_WRITE_WINDOW = 4'd11;
/* verilator lint_on UNUSEDPARAM */
