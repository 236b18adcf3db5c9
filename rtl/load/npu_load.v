// npu_load.v : LOAD commands in, AXI reads out, words into the on-chip buffers
//
// Two halves that run one behind the other. The front takes a command with its tokens and sends its read
// addresses; the back (npu_load_fill) puts padding and data into the buffer in order. The front is
// already in the next command while the data of this one arrive, so the memory's latency is paid
// once a program and not once a command.
`default_nettype none

module npu_load #(
    parameter integer N = 16,
    parameter integer ADDR_W = 32,
    parameter integer MAX_BURST = 64,
    parameter integer LOG_OUTSTANDING = 3  // log2 of the bursts in flight
) (
    input  wire              clk,
    input  wire              rst_n,
    // High: start no more bursts, let those under way end and drop their data.
    input  wire              halt,
    input  wire              cmd_valid,
    output wire              cmd_ready,
    input  wire [     527:0] cmd_data,            // {number, command}
    input  wire [ADDR_W-1:0] read_base,           // npu_page_window.v
    input  wire [ADDR_W-1:0] read_limit,
    // Tokens taken before a command starts.
    input  wire              wait_compute_valid,
    output wire              wait_compute_ready,
    input  wire              wait_store_valid,
    output wire              wait_store_ready,
    // Token given when its last word is in the buffer.
    output wire              sig_compute_valid,
    input  wire              sig_compute_ready,
    output wire              stamp_valid,
    input  wire              stamp_ready,
    output wire [       7:0] stamp_layer,
    output reg               ar_valid,
    input  wire              ar_ready,
    output reg  [ADDR_W-1:0] ar_addr,
    output reg  [       7:0] ar_len,
    input  wire              r_valid,
    output wire              r_ready,
    input  wire [   8*N-1:0] r_data,
    input  wire [       1:0] r_resp,
    input  wire              r_last,
    // One word a cycle into the buffer that wr_dest names; never refused.
    output wire              wr_en,
    output wire [       2:0] wr_dest,
    output wire [      15:0] wr_addr,
    output wire [   8*N-1:0] wr_data,
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

  // ---------------------------------------------------------------- front: tokens, read addresses

  wire [ADDR_W-1:0] walk_addr;
  wire [8:0] walk_beats;
  wire walk_ready;
  wire burst_valid;
  wire burst_ready;
  wire permitted;
  wire unused_last;
  wire fill_ready;
  wire room;
  reg [15:0] number;

  wire tokens_ok = (!cmd_data[9] || wait_compute_valid) && (!cmd_data[10] || wait_store_valid);
  wire can_start = walk_ready && fill_ready && !halt;
  wire start = cmd_valid && can_start && tokens_ok;

  // cmd_data says nothing while cmd_valid is low.
  assign cmd_ready = start;
  assign wait_compute_ready = start && cmd_data[9];
  assign wait_store_ready = start && cmd_data[10];
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
      .burst_last(unused_last)
  );

  // The address register is what AXI sees: once loaded it stays until it is taken, halt or not.
  assign burst_ready = (!ar_valid || ar_ready) && room && permitted && !halt;

  wire issue = burst_valid && burst_ready;

  npu_page_window #(
      .ADDR_W(ADDR_W)
  ) u_window (
      .addr(walk_addr),
      .base(read_base),
      .limit(read_limit),
      .permitted(permitted)
  );

  wire [7:0] len = walk_beats[7:0] - 8'd1;
  wire unused = &{1'b0, walk_beats[8]};  // 256 beats: 0 - 1 is 255 all the same

  always @(posedge clk) begin
    if (!rst_n) ar_valid <= 1'b0;
    else if (issue) ar_valid <= 1'b1;
    else if (ar_ready) ar_valid <= 1'b0;
  end

  always @(posedge clk) begin
    if (issue) begin
      ar_addr <= walk_addr;
      ar_len  <= len;
    end
    if (start) number <= cmd_data[512+:16];
  end

  // ---------------------------------------------------------------- bursts in flight

  wire in_flight;
  wire r_fire = r_valid && r_ready;
  wire [LOG_OUTSTANDING:0] unused_level;
  wire [ADDR_W-1:0] flying_addr;

  npu_fifo #(
      .W(ADDR_W + 16),
      .LOG_D(LOG_OUTSTANDING)
  ) u_inflight (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(issue),
      .in_ready(room),
      .in_data({walk_addr, number}),
      .out_valid(in_flight),
      .out_ready(r_fire && r_last),
      .out_data({flying_addr, flying_cmd}),
      .level(unused_level)
  );

  // Only when all bursts before it are answered: of two errors the first in the program is reported.
  assign err_window = burst_valid && !permitted && !in_flight;
  assign err_valid  = ((r_fire && r_resp[1]) || err_window) && !halt;
  assign err_decerr = r_resp[0];
  assign err_addr   = in_flight ? flying_addr : walk_addr;
  assign err_cmd    = in_flight ? flying_cmd : number;

  // ---------------------------------------------------------------- back: the buffer side

  wire fill_idle;
  wire fill_r_ready;

  npu_load_fill #(
      .N(N)
  ) u_fill (
      .clk(clk),
      .rst_n(rst_n),
      .halt(halt),
      .cmd_valid(start),
      .cmd_ready(fill_ready),
      .cmd_data(cmd_data[511:0]),
      .r_valid(r_valid && !halt),
      .r_ready(fill_r_ready),
      .r_data(r_data),
      .wr_en(wr_en),
      .wr_dest(wr_dest),
      .wr_addr(wr_addr),
      .wr_data(wr_data),
      .sig_compute_valid(sig_compute_valid),
      .sig_compute_ready(sig_compute_ready),
      .stamp_valid(stamp_valid),
      .stamp_ready(stamp_ready),
      .stamp_layer(stamp_layer),
      .idle(fill_idle)
  );

  assign r_ready = halt || fill_r_ready;
  assign quiet = !in_flight;
  assign idle = fill_idle && walk_ready && quiet;

endmodule

`default_nettype wire
