// npu_conv_acc.v : two banks of int32 accumulators
//
// conv adds into one bank while post drains the other. A sum is read, added to and written back over two
// cycles, so the same pixel must not come back in the next: then no forwarding is needed. In passes it comes
// back a pass later, and passes start at least N >= 4 cycles apart (the time to load their weights). In windows
// it comes back in the next command at the earliest, which takes kw >= 2 words to its first sum; and between a
// command of windows and one of passes lies a cycle (npu_conv_banks.v).
`default_nettype none

module npu_conv_acc #(
    parameter integer N = 16,
    parameter integer SUM_W = 20,
    parameter integer LOG_DEPTH = 8  // log2 of the pixels in a bank
) (
    input  wire                 clk,
    input  wire                 rst_n,
    // Address one cycle ahead of the sums, so that the old value is there with them.
    input  wire                 pre_valid,
    input  wire                 pre_bank,
    input  wire [LOG_DEPTH-1:0] pre_pixel,
    input  wire                 pre_first,     // start from zero
    input  wire                 pre_last,      // the bank is complete with this word
    input  wire [  N*SUM_W-1:0] sum_data,
    // The drain side; data one cycle after drain_en.
    output reg  [          1:0] bank_full,
    input  wire                 drain_en,
    input  wire                 drain_bank,
    input  wire [LOG_DEPTH-1:0] drain_pixel,
    output wire [     32*N-1:0] drain_data,
    input  wire                 drain_release  // the bank of drain_bank may be filled again
);

  reg valid;
  reg bank;
  reg [LOG_DEPTH-1:0] pixel;
  reg first;
  reg last;
  reg drained_bank;
  wire [32*N-1:0] rd_data0;
  wire [32*N-1:0] rd_data1;
  wire [32*N-1:0] old = bank ? rd_data1 : rd_data0;
  reg [32*N-1:0] total;

  integer k;
  always @* begin
    for (k = 0; k < N; k = k + 1) begin
      total[32*k+:32] = (first ? 32'd0 : old[32*k+:32]) +
          {{32 - SUM_W{sum_data[SUM_W*k+SUM_W-1]}}, sum_data[SUM_W*k+:SUM_W]};
    end
  end

  wire fill0 = pre_valid && !pre_bank && !pre_first;
  wire fill1 = pre_valid && pre_bank && !pre_first;
  wire drain0 = drain_en && !drain_bank;
  wire drain1 = drain_en && drain_bank;

  npu_buffer #(
      .W(32 * N),
      .LOG_D(LOG_DEPTH)
  ) u_bank0 (
      .clk(clk),
      .wr_en(valid && !bank),
      .wr_addr(pixel),
      .wr_data(total),
      .rd_en(fill0 || drain0),
      .rd_addr(drain0 ? drain_pixel : pre_pixel),
      .rd_data(rd_data0)
  );

  npu_buffer #(
      .W(32 * N),
      .LOG_D(LOG_DEPTH)
  ) u_bank1 (
      .clk(clk),
      .wr_en(valid && bank),
      .wr_addr(pixel),
      .wr_data(total),
      .rd_en(fill1 || drain1),
      .rd_addr(drain1 ? drain_pixel : pre_pixel),
      .rd_data(rd_data1)
  );

  assign drain_data = drained_bank ? rd_data1 : rd_data0;

  always @(posedge clk) begin
    if (!rst_n) valid <= 1'b0;
    else valid <= pre_valid;
  end

  always @(posedge clk) begin
    if (pre_valid) begin
      bank  <= pre_bank;
      pixel <= pre_pixel;
      first <= pre_first;
      last  <= pre_last;
    end
    if (drain_en) drained_bank <= drain_bank;
  end

  always @(posedge clk) begin
    if (!rst_n) begin
      bank_full <= 2'b00;
    end else begin
      if (valid && last) bank_full[bank] <= 1'b1;
      if (drain_release) bank_full[drain_bank] <= 1'b0;
    end
  end

endmodule

`default_nettype wire
