// npu_conv.v : CONV commands in, complete int32 accumulators out
//
// Time of a word: read in cycle t, registered t+1 (in a window, too, if its command has windows), summed in the
// array t+2, added to its accumulator t+3. The weights of its pass are swapped in at the end of t+1.
`default_nettype none

module npu_conv #(
    parameter integer N = 16,
    parameter integer LOG_DEPTH = 8,  // log2 of the pixels in an accumulator bank
    parameter integer LOG_LINE = 8  // log2 of the words in a row of a windowed input
) (
    input  wire                 clk,
    input  wire                 rst_n,
    input  wire                 cmd_valid,
    output wire                 cmd_ready,
    input  wire [        511:0] cmd_data,
    // Buffer reads; data one cycle after the enable.
    output wire                 act_en,
    output wire [         15:0] act_addr,
    input  wire [      8*N-1:0] act_data,
    output wire                 wgt_en,
    output wire [         15:0] wgt_addr,
    input  wire [      8*N-1:0] wgt_data,
    output wire                 desc_valid,
    input  wire                 desc_ready,
    output wire [        172:0] desc_data,
    // The drain side of the accumulators; data one cycle after drain_en.
    output wire [          1:0] bank_full,
    input  wire                 drain_en,
    input  wire                 drain_bank,
    input  wire [LOG_DEPTH-1:0] drain_pixel,
    output wire [     32*N-1:0] drain_data,
    input  wire                 drain_release,
    output wire                 sig_load_valid,
    input  wire                 sig_load_ready,
    output wire                 idle,
    output wire                 stat_weights
);

  `include "npu_window.vh"

  localparam integer SUM_W = 16 + $clog2(N);
  localparam integer TAG_W = LOG_DEPTH + 3;

  // ---------------------------------------------------------------- commands: weights run ahead

  wire wgt_cmd_ready;
  wire queue_ready;
  wire next_valid;
  wire next_ready;
  wire banks_idle;
  wire [511:0] next_cmd;
  wire [1:0] unused_level;

  assign cmd_ready = wgt_cmd_ready && queue_ready;

  npu_fifo #(
      .W(512),
      .LOG_D(1)
  ) u_queue (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(cmd_valid && wgt_cmd_ready),
      .in_ready(queue_ready),
      .in_data(cmd_data),
      .out_valid(next_valid),
      .out_ready(next_ready),
      .out_data(next_cmd),
      .level(unused_level)
  );

  wire row_valid;
  wire [4:0] row;
  wire block_valid;
  wire block_ready;

  npu_conv_weights #(
      .N(N)
  ) u_weights (
      .clk(clk),
      .rst_n(rst_n),
      .cmd_valid(cmd_valid && queue_ready),
      .cmd_ready(wgt_cmd_ready),
      .cmd_data(cmd_data),
      .rd_en(wgt_en),
      .rd_addr(wgt_addr),
      .row_valid(row_valid),
      .row(row),
      .block_valid(block_valid),
      .block_ready(block_ready)
  );

  // ---------------------------------------------------------------- which word is next, and may it go?

  wire take;
  wire go;
  wire acc_bank;
  wire [511:0] cmd;
  wire window = cmd[274];

  wire seq_pass_starts;
  wire seq_tile_starts;
  wire seq_tile_ends;
  wire seq_group_ends;
  wire seq_first_tap;
  wire [15:0] seq_addr;
  wire [LOG_DEPTH-1:0] seq_pixel;

  npu_conv_seq #(
      .LOG_DEPTH(LOG_DEPTH)
  ) u_seq (
      .clk(clk),
      .take(take),
      .cmd_data(next_cmd),
      .cmd(cmd),
      .go(go && !window),
      .pass_starts(seq_pass_starts),
      .tile_starts(seq_tile_starts),
      .tile_ends(seq_tile_ends),
      .group_ends(seq_group_ends),
      .rd_addr(seq_addr),
      .first_tap(seq_first_tap),
      .acc_pixel(seq_pixel)
  );

  wire slide_pass_starts;
  wire slide_tile_starts;
  wire slide_tile_ends;
  wire slide_group_ends;
  wire slide_sums;
  wire [15:0] slide_addr;
  wire [LOG_LINE-1:0] slide_column;
  wire [LOG_DEPTH-1:0] slide_pixel;

  npu_conv_slide #(
      .LOG_DEPTH(LOG_DEPTH),
      .LOG_LINE (LOG_LINE)
  ) u_slide (
      .clk(clk),
      .take(take),
      .cmd_data(next_cmd),
      .cmd(cmd),
      .go(go && window),
      .pass_starts(slide_pass_starts),
      .tile_starts(slide_tile_starts),
      .tile_ends(slide_tile_ends),
      .group_ends(slide_group_ends),
      .rd_addr(slide_addr),
      .column(slide_column),
      .sums(slide_sums),
      .acc_pixel(slide_pixel)
  );

  wire tile_ends = window ? slide_tile_ends : seq_tile_ends;

  npu_conv_banks u_banks (
      .clk(clk),
      .rst_n(rst_n),
      .cmd_valid(next_valid),
      .cmd_ready(next_ready),
      .cmd_data(next_cmd),
      .take(take),
      .cmd(cmd),
      .pass_starts(window ? slide_pass_starts : seq_pass_starts),
      .tile_starts(window ? slide_tile_starts : seq_tile_starts),
      .tile_ends(tile_ends),
      .group_ends(window ? slide_group_ends : seq_group_ends),
      .go(go),
      .bank(acc_bank),
      .block_valid(block_valid),
      .block_ready(block_ready),
      .bank_release(drain_release),
      .desc_valid(desc_valid),
      .desc_ready(desc_ready),
      .desc_data(desc_data),
      .sig_load_valid(sig_load_valid),
      .sig_load_ready(sig_load_ready),
      .idle(banks_idle),
      .stat_weights(stat_weights)
  );

  assign idle = banks_idle && !next_valid;
  assign act_en = go;
  assign act_addr = window ? slide_addr : seq_addr;

  // ---------------------------------------------------------------- the pipeline

  reg valid1;
  reg valid2;
  reg swap1;
  reg sums1;
  reg window1;
  reg window2;
  reg [TAG_W-1:0] tag1;  // which accumulator the word goes to
  reg [TAG_W-1:0] tag2;
  reg [8*N-1:0] act2;

  always @(posedge clk) begin
    if (!rst_n) begin
      valid1 <= 1'b0;
      valid2 <= 1'b0;
      swap1  <= 1'b0;
    end else begin
      valid1 <= act_en;
      valid2 <= valid1 && sums1;
      swap1  <= block_valid && block_ready;
    end
  end

  wire acc_first = cmd[272] && (window || seq_first_tap);
  wire acc_last = cmd[273] && tile_ends;

  always @(posedge clk) begin
    if (act_en) begin
      tag1 <= {acc_bank, acc_first, acc_last, window ? slide_pixel : seq_pixel};
      sums1 <= !window || slide_sums;
      window1 <= window;
    end
    if (valid1) begin
      tag2 <= tag1;
      window2 <= window1;
      act2 <= act_data;
    end
  end

  wire [8*N*WIN_ROWS*WIN_COLS-1:0] win_data;

  npu_conv_window #(
      .N(N),
      .ROWS(WIN_ROWS),
      .COLS(WIN_COLS),
      .LOG_LINE(LOG_LINE)
  ) u_window (
      .clk(clk),
      .rd_en(act_en && window),
      .rd_column(slide_column),
      .rd_kw(cmd[128+:8]),
      .rd_kh(cmd[136+:8]),
      .in_valid(valid1 && window1),
      .in_data(act_data),
      .taps(win_data)
  );

  wire [N*SUM_W-1:0] sum_data;

  npu_conv_array #(
      .N(N),
      .TAPS(WIN_ROWS * WIN_COLS),
      .SUM_W(SUM_W)
  ) u_array (
      .clk(clk),
      .wgt_valid(row_valid),
      .wgt_row(row),
      .wgt_data(wgt_data),
      .swap(swap1),
      .act_valid(valid2),
      .in_window(window2),
      .act_data(act2),
      .win_data(win_data),
      .sum_data(sum_data)
  );

  npu_conv_acc #(
      .N(N),
      .SUM_W(SUM_W),
      .LOG_DEPTH(LOG_DEPTH)
  ) u_acc (
      .clk(clk),
      .rst_n(rst_n),
      .pre_valid(valid2),
      .pre_bank(tag2[LOG_DEPTH+2]),
      .pre_first(tag2[LOG_DEPTH+1]),
      .pre_last(tag2[LOG_DEPTH]),
      .pre_pixel(tag2[LOG_DEPTH-1:0]),
      .sum_data(sum_data),
      .bank_full(bank_full),
      .drain_en(drain_en),
      .drain_bank(drain_bank),
      .drain_pixel(drain_pixel),
      .drain_data(drain_data),
      .drain_release(drain_release)
  );

endmodule

`default_nettype wire
