// npu_store.v : STORE commands in, words out of the output buffer, AXI writes out
//
// The addresses run ahead of the data, the data ahead of the responses. The tokens of a command go out with
// its last write response and not before: then whoever waits for them may read the data back.
`default_nettype none

module npu_store #(
    parameter integer N = 16,
    parameter integer ADDR_W = 32,
    parameter integer MAX_BURST = 64,
    parameter integer LOG_OUTSTANDING = 3  // log2 of the bursts in flight
) (
    input  wire              clk,
    input  wire              rst_n,
    // High: start no more bursts, let those under way end.
    input  wire              halt,
    input  wire              cmd_valid,
    output wire              cmd_ready,
    input  wire [     527:0] cmd_data,            // {number, command}
    input  wire [ADDR_W-1:0] write_base,          // npu_page_window.v
    input  wire [ADDR_W-1:0] write_limit,
    // Token taken before a command reads the buffer.
    input  wire              wait_compute_valid,
    output wire              wait_compute_ready,
    // Tokens given with the last response of a command.
    output wire              sig_compute_valid,
    input  wire              sig_compute_ready,
    output wire              sig_load_valid,
    input  wire              sig_load_ready,
    output wire              stamp_valid,
    output wire [       7:0] stamp_layer,
    output reg               aw_valid,
    input  wire              aw_ready,
    output reg  [ADDR_W-1:0] aw_addr,
    output reg  [       7:0] aw_len,
    output wire              w_valid,
    input  wire              w_ready,
    output wire [   8*N-1:0] w_data,
    output wire              w_last,
    input  wire              b_valid,
    output wire              b_ready,
    input  wire [       1:0] b_resp,
    output wire              rd_en,
    output wire [      15:0] rd_addr,
    input  wire [   8*N-1:0] rd_data,             // one cycle after rd_en
    output wire              err_valid,
    output wire              err_decerr,
    output wire              err_window,          // the burst was not sent: it may not be
    output wire [ADDR_W-1:0] err_addr,
    output wire [      15:0] err_cmd,
    output wire              idle,                // nothing left to do
    output wire              quiet,               // nothing under way on the bus
    output wire [      15:0] flying_cmd,          // whose burst is the oldest under way
    output wire              stat_wait
);

  // ---------------------------------------------------------------- tokens, write addresses

  wire [ADDR_W-1:0] walk_addr;
  wire [8:0] walk_beats;
  wire walk_ready;
  wire burst_valid;
  wire burst_ready;
  wire permitted;
  wire burst_last;
  wire room;
  wire w_room;
  reg [15:0] number;
  reg [15:0] buf_addr;  // of the next burst's first word
  reg [7:0] layer;
  reg stamp;
  reg signal_load;
  reg signal_compute;

  wire can_start = walk_ready && !halt;
  wire tokens_ok = !cmd_data[9] || wait_compute_valid;
  wire start = cmd_valid && can_start && tokens_ok;

  // cmd_data says nothing while cmd_valid is low.
  assign cmd_ready = start;
  assign wait_compute_ready = start && cmd_data[9];
  assign stat_wait = cmd_valid && can_start && !tokens_ok;

  npu_burst_walk #(
      .N(N),
      .ADDR_W(ADDR_W),
      .MAX_BURST(MAX_BURST)
  ) u_walk (
      .clk(clk),
      .rst_n(rst_n),
      .cmd_valid(start),
      .cmd_ready(walk_ready),
      .cmd_addr(cmd_data[32+:ADDR_W]),
      .cmd_stride_y(cmd_data[96+:ADDR_W]),
      .cmd_stride_x(cmd_data[128+:ADDR_W]),
      .cmd_run(cmd_data[160+:16]),
      .cmd_count_x(cmd_data[176+:16]),
      .cmd_count_y(cmd_data[192+:16]),
      .burst_valid(burst_valid),
      .burst_ready(burst_ready),
      .burst_addr(walk_addr),
      .burst_beats(walk_beats),
      .burst_last(burst_last)
  );

  // The address register is what AXI sees: once loaded it stays until it is taken, halt or not.
  assign burst_ready = (!aw_valid || aw_ready) && room && w_room && permitted && !halt;

  wire issue = burst_valid && burst_ready;

  npu_page_window #(
      .ADDR_W(ADDR_W)
  ) u_window (
      .addr(walk_addr),
      .base(write_base),
      .limit(write_limit),
      .permitted(permitted)
  );

  wire [7:0] len = walk_beats[7:0] - 8'd1;  // 256 beats: 0 - 1 is 255 all the same

  always @(posedge clk) begin
    if (!rst_n) aw_valid <= 1'b0;
    else if (issue) aw_valid <= 1'b1;
    else if (aw_ready) aw_valid <= 1'b0;
  end

  always @(posedge clk) begin
    if (issue) begin
      aw_addr  <= walk_addr;
      aw_len   <= len;
      buf_addr <= buf_addr + {7'd0, walk_beats};
    end
    if (start) begin
      number <= cmd_data[512+:16];
      buf_addr <= cmd_data[64+:16];
      layer <= cmd_data[16+:8];
      stamp <= cmd_data[15];
      signal_compute <= cmd_data[13];
      signal_load <= cmd_data[12];
    end
  end

  // ---------------------------------------------------------------- write data

  npu_store_data #(
      .N(N),
      .LOG_BURSTS(LOG_OUTSTANDING)
  ) u_data (
      .clk(clk),
      .rst_n(rst_n),
      .burst_valid(issue),
      .burst_ready(w_room),
      .burst_len(len),
      .burst_addr(buf_addr),
      .rd_en(rd_en),
      .rd_addr(rd_addr),
      .rd_data(rd_data),
      .w_valid(w_valid),
      .w_ready(w_ready),
      .w_data(w_data),
      .w_last(w_last)
  );

  // ---------------------------------------------------------------- responses

  wire in_flight;
  wire b_stamp;
  wire b_signal_load;
  wire b_signal_compute;
  wire [7:0] b_layer;
  wire [LOG_OUTSTANDING:0] unused_level;
  wire [ADDR_W-1:0] flying_addr;

  npu_fifo #(
      .W(ADDR_W + 16 + 11),
      .LOG_D(LOG_OUTSTANDING)
  ) u_inflight (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(issue),
      .in_ready(room),
      .in_data({
        walk_addr,
        number,
        layer,
        burst_last && stamp,
        burst_last && signal_load,
        burst_last && signal_compute
      }),
      .out_valid(in_flight),
      .out_ready(b_valid && b_ready),
      .out_data({flying_addr, flying_cmd, b_layer, b_stamp, b_signal_load, b_signal_compute}),
      .level(unused_level)
  );

  // A failed or halted command gives no token.
  wire good = b_valid && !b_resp[1] && !halt;
  wire give_compute = good && b_signal_compute;
  wire give_load = good && b_signal_load;

  assign sig_compute_valid = give_compute && (!give_load || sig_load_ready);
  assign sig_load_valid = give_load && (!give_compute || sig_compute_ready);
  assign b_ready = (!give_compute || sig_compute_ready) && (!give_load || sig_load_ready);
  assign stamp_valid = good && b_ready && b_stamp;
  assign stamp_layer = b_layer;
  // Only when all bursts before it are answered: of two errors the first in the program is reported.
  assign err_window = burst_valid && !permitted && !in_flight;
  assign err_valid = ((b_valid && b_resp[1]) || err_window) && !halt;
  assign err_decerr = b_resp[0];
  assign err_addr = in_flight ? flying_addr : walk_addr;
  assign err_cmd = in_flight ? flying_cmd : number;
  assign quiet = !in_flight;
  assign idle = walk_ready && quiet;

endmodule

`default_nettype wire
