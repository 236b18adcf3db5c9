// npu_conv.v : CONV commands in, complete int32 accumulators out
//
// Time of a word: read in cycle t, registered t+1, summed in the array t+2, added to its accumulator t+3. The
// weights of its pass are swapped in at the end of t+1.
`default_nettype none

module npu_conv #(
    parameter integer N = 16,
    parameter integer LOG_DEPTH = 8  // log2 of the pixels in an accumulator bank
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

  localparam integer SUM_W = 16 + $clog2(N);
  localparam integer TAG_W = LOG_DEPTH + 3;

  // ---------------------------------------------------------------- commands: weights run ahead

  wire wgt_cmd_ready;
  wire seq_queue_ready;
  wire seq_valid;
  wire seq_ready;
  wire seq_idle;
  wire [511:0] seq_cmd;
  wire [1:0] unused_level;

  assign cmd_ready = wgt_cmd_ready && seq_queue_ready;

  npu_fifo #(
      .W(512),
      .LOG_D(1)
  ) u_queue (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(cmd_valid && wgt_cmd_ready),
      .in_ready(seq_queue_ready),
      .in_data(cmd_data),
      .out_valid(seq_valid),
      .out_ready(seq_ready),
      .out_data(seq_cmd),
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
      .cmd_valid(cmd_valid && seq_queue_ready),
      .cmd_ready(wgt_cmd_ready),
      .cmd_data(cmd_data),
      .rd_en(wgt_en),
      .rd_addr(wgt_addr),
      .row_valid(row_valid),
      .row(row),
      .block_valid(block_valid),
      .block_ready(block_ready)
  );

  wire acc_bank;
  wire [LOG_DEPTH-1:0] acc_pixel;
  wire acc_first;
  wire acc_last;

  npu_conv_seq #(
      .LOG_DEPTH(LOG_DEPTH)
  ) u_seq (
      .clk(clk),
      .rst_n(rst_n),
      .cmd_valid(seq_valid),
      .cmd_ready(seq_ready),
      .cmd_data(seq_cmd),
      .block_valid(block_valid),
      .block_ready(block_ready),
      .rd_en(act_en),
      .rd_addr(act_addr),
      .acc_bank(acc_bank),
      .acc_pixel(acc_pixel),
      .acc_first(acc_first),
      .acc_last(acc_last),
      .bank_release(drain_release),
      .desc_valid(desc_valid),
      .desc_ready(desc_ready),
      .desc_data(desc_data),
      .sig_load_valid(sig_load_valid),
      .sig_load_ready(sig_load_ready),
      .idle(seq_idle),
      .stat_weights(stat_weights)
  );

  assign idle = seq_idle && !seq_valid;

  // ---------------------------------------------------------------- the pipeline

  reg valid1;
  reg valid2;
  reg swap1;
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
      valid2 <= valid1;
      swap1  <= block_valid && block_ready;
    end
  end

  always @(posedge clk) begin
    if (act_en) tag1 <= {acc_bank, acc_first, acc_last, acc_pixel};
    if (valid1) begin
      tag2 <= tag1;
      act2 <= act_data;
    end
  end

  wire [N*SUM_W-1:0] sum_data;

  npu_conv_array #(
      .N(N),
      .SUM_W(SUM_W)
  ) u_array (
      .clk(clk),
      .wgt_valid(row_valid),
      .wgt_row(row),
      .wgt_data(wgt_data),
      .swap(swap1),
      .act_valid(valid2),
      .act_data(act2),
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
