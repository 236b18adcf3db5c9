// npu_command_check.v : is this a command the core can execute?
//
// Everything a command could say that an engine could not carry out is refused here, so that the engines
// need no error paths of their own: a count of zero would never end, a token on a queue that does not
// exist would never come.
`default_nettype none

module npu_command_check #(
    parameter integer N = 16,
    parameter integer ACC_DEPTH = 256,
    parameter integer LINE_WORDS = 256
) (
    input  wire [511:0] cmd,
    output wire         known,     // the opcode exists
    output wire         fields_ok
);

  `include "npu_opcodes.vh"
  `include "npu_window.vh"

  localparam [15:0] TILE_MAX = ACC_DEPTH[15:0];

  wire [7:0] opcode = cmd[7:0];
  // Waits and signals: {store, compute, load}.
  wire [2:0] waits = cmd[10:8];
  wire [2:0] signals = cmd[14:12];
  wire is_load = opcode == OP_LOAD;
  wire is_store = opcode == OP_STORE;
  wire is_conv = opcode == OP_CONV;
  wire is_pool = opcode == OP_POOL;
  wire is_end = opcode == OP_END;
  wire is_dma = is_load || is_store;

  assign known = is_dma || is_conv || is_pool || is_end;

  // Queues: load -> compute -> load, compute -> store -> compute, store -> load.
  wire [2:0] waits_allowed = is_load ? 3'b110 : is_store ? 3'b010 : is_end ? 3'b000 : 3'b101;
  wire [2:0] signals_allowed = is_load ? 3'b010 : is_store ? 3'b011 : is_end ? 3'b000 : 3'b101;
  wire tokens_ok = (waits & ~waits_allowed) == 3'd0 && (signals & ~signals_allowed) == 3'd0;

  wire [15:0] run = cmd[160+:16];
  wire [15:0] count_x = cmd[176+:16];
  wire [15:0] count_y = cmd[192+:16];
  // Buffers 0 to 4.
  wire dest_ok = !is_load || cmd[80+:3] <= 3'd4;
  // Bursts of whole words: a page's end must be a word's.
  localparam integer LOG_N = $clog2(N);
  wire aligned = cmd[32+:LOG_N] == 0 && cmd[96+:LOG_N] == 0 && cmd[128+:LOG_N] == 0;
  wire dma_ok = dest_ok && aligned && run != 16'd0 && count_x != 16'd0 && count_y != 16'd0;

  wire [7:0] kw = cmd[128+:8];
  wire [7:0] kh = cmd[136+:8];
  wire [15:0] cb = cmd[144+:16];
  wire [15:0] out_w = cmd[160+:16];
  wire [15:0] out_h = cmd[176+:16];
  wire counts_ok = kw != 8'd0 && kh != 8'd0 && cb != 16'd0 && out_w != 16'd0 && out_h != 16'd0;
  wire mode_ok = cmd[312+:2] != 2'd3;

  wire [15:0] groups = cmd[192+:16];
  wire [15:0] tile = cmd[208+:16];
  wire drain = cmd[273];
  wire conv_ok = groups != 16'd0 && tile != 16'd0 && tile <= TILE_MAX;
  // A CONV that leaves its sums behind sends nothing through post, so it has no word with store.
  wire drain_ok = drain || !(waits[2] || signals[2] || cmd[15] || cmd[464+:2] != 2'd0);
  // Sums that outlive their command fill one bank only.
  wire clear = cmd[272];
  wire [31:0] pixels = {16'd0, out_w} * {16'd0, out_h};
  wire split_ok = (clear && drain) || (groups == 16'd1 && pixels <= {16'd0, tile});

  // A window that slides over a line buffer. Rows of one word would be written and read in the same cycle.
  localparam [7:0] KW_MAX = WIN_COLS[7:0];
  localparam [7:0] KH_MAX = WIN_ROWS[7:0];
  localparam [31:0] LINE_MAX = LINE_WORDS;
  wire [15:0] x_stride = cmd[320+:16];
  wire [15:0] y_stride = cmd[336+:16];
  wire [31:0] in_w = ({16'd0, out_w} - 32'd1) * {16'd0, x_stride} + {24'd0, kw};
  wire slides = cmd[274];
  wire slide_ok = !slides || (kw >= 8'd2 && kw <= KW_MAX && kh <= KH_MAX && cb == 16'd1 &&
      x_stride != 16'd0 && y_stride != 16'd0 && in_w <= LINE_MAX);

  wire kind_ok = cmd[192+:2] != 2'd3;

  assign fields_ok = tokens_ok && (is_dma ? dma_ok :
      is_conv ? counts_ok && mode_ok && conv_ok && drain_ok && split_ok && slide_ok :
      is_pool ? counts_ok && mode_ok && kind_ok : 1'b1);

endmodule

`default_nettype wire
