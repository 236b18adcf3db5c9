// npu_pool.v : POOL commands in, one int32 word of N channels per window out
//
// Maximum, average (rounded half away from zero) or sum over a window that slides over a tile in the
// activation buffer, one tap a cycle. Taps outside the valid rectangle do not count, which is how padding is
// left out of averages as TFLite demands, whatever the buffer holds there.
`default_nettype none

module npu_pool #(
    parameter integer N = 16
) (
    input  wire            clk,
    input  wire            rst_n,
    input  wire            cmd_valid,
    output wire            cmd_ready,
    input  wire [   511:0] cmd_data,
    // Activation buffer; data one cycle after act_en, held until the next.
    output wire            act_en,
    output wire [    15:0] act_addr,
    input  wire [ 8*N-1:0] act_data,
    output wire            desc_valid,
    input  wire            desc_ready,
    output wire [   172:0] desc_data,
    output wire            out_valid,
    input  wire            out_ready,
    output wire [32*N-1:0] out_data,
    output wire            sig_load_valid,
    input  wire            sig_load_ready,
    output wire            idle
);

  `include "npu_opcodes.vh"

  // ---------------------------------------------------------------- taps, one read each

  wire [1:0] kind;
  wire tap_counts;
  wire tap_first;
  wire tap_last;
  wire step;  // both stages advance
  wire seq_idle;

  npu_pool_seq u_seq (
      .clk(clk),
      .rst_n(rst_n),
      .cmd_valid(cmd_valid),
      .cmd_ready(cmd_ready),
      .cmd_data(cmd_data),
      .step(step),
      .rd_en(act_en),
      .rd_addr(act_addr),
      .kind(kind),
      .tap_counts(tap_counts),
      .tap_first(tap_first),
      .tap_last(tap_last),
      .desc_valid(desc_valid),
      .desc_ready(desc_ready),
      .desc_data(desc_data),
      .sig_load_valid(sig_load_valid),
      .sig_load_ready(sig_load_ready),
      .idle(seq_idle)
  );

  // ---------------------------------------------------------------- accumulate

  reg valid1;
  reg counts1;
  reg first1;
  reg last1;
  reg [1:0] kind1;
  reg [15:0] count;
  reg [32*N-1:0] acc;
  reg [32*N-1:0] next_acc;
  wire result_ready;

  assign step = !(valid1 && last1) || result_ready;
  // Another unit may read the buffer only when the last word, which a busy divider holds back, is added.
  assign idle = seq_idle && !valid1;

  always @(posedge clk) begin
    if (!rst_n) valid1 <= 1'b0;
    else if (step) valid1 <= act_en;
  end

  always @(posedge clk) begin
    if (step && act_en) begin
      counts1 <= tap_counts;
      first1  <= tap_first;
      last1   <= tap_last;
      kind1   <= kind;
    end
  end

  wire is_max1 = kind1 == POOL_MAX;
  wire [15:0] next_count = (first1 ? 16'd0 : count) + {15'd0, counts1};
  integer k;
  reg signed [31:0] tap;
  reg signed [31:0] old;

  always @* begin
    for (k = 0; k < N; k = k + 1) begin
      tap = {{24{act_data[8*k+7]}}, act_data[8*k+:8]};
      old = !first1 ? acc[32*k+:32] : is_max1 ? -32'sd128 : 32'sd0;
      next_acc[32*k+:32] = !counts1 ? old : is_max1 ? ((tap > old) ? tap : old) : old + tap;
    end
  end

  always @(posedge clk) begin
    if (valid1 && step) begin
      acc   <= next_acc;
      count <= next_count;
    end
  end

  // ---------------------------------------------------------------- divide, hand on

  npu_pool_divide #(
      .N(N)
  ) u_divide (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(valid1 && last1),
      .in_ready(result_ready),
      .in_divide(kind1 == POOL_AVERAGE),
      .in_count(next_count),
      .in_sum(next_acc),
      .out_valid(out_valid),
      .out_ready(out_ready),
      .out_data(out_data)
  );

endmodule

`default_nettype wire
