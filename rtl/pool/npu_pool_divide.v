// npu_pool_divide.v : N sums by one count, rounded half away from zero
//
// An average of int8 values has at most eight bits, so eight steps of restoring division are enough
// whatever the count; windows of eight taps and more hide them completely. Other results pass through.
`default_nettype none

module npu_pool_divide #(
    parameter integer N = 16
) (
    input  wire            clk,
    input  wire            rst_n,
    input  wire            in_valid,
    output wire            in_ready,
    input  wire            in_divide,
    input  wire [    15:0] in_count,   // at most 255 * 255 taps
    input  wire [32*N-1:0] in_sum,     // |sum| <= 128 * count when divided
    output wire            out_valid,
    input  wire            out_ready,
    output wire [32*N-1:0] out_data
);

  reg full;
  reg [3:0] steps_left;
  reg divide;
  reg [22:0] divisor;  // count << steps_left - 1
  wire in_fire = in_valid && in_ready;
  wire stepping = full && steps_left != 4'd0;
  // 0 taps: 0 / 1.
  wire [15:0] count = (in_count == 16'd0) ? 16'd1 : in_count;

  assign out_valid = full && steps_left == 4'd0;
  assign in_ready  = !full || (out_valid && out_ready);

  always @(posedge clk) begin
    if (!rst_n) begin
      full <= 1'b0;
      steps_left <= 4'd0;
    end else if (in_ready) begin
      full <= in_valid;
      steps_left <= (in_valid && in_divide) ? 4'd8 : 4'd0;
    end else if (stepping) begin
      steps_left <= steps_left - 4'd1;
    end
  end

  always @(posedge clk) begin
    if (in_fire) begin
      divide  <= in_divide;
      divisor <= {count, 7'd0};
    end else if (stepping) begin
      divisor <= divisor >> 1;
    end
  end

  generate
    genvar k;
    for (k = 0; k < N; k = k + 1) begin : g_lane
      wire [31:0] sum = in_sum[32*k+:32];
      wire [31:0] magnitude = sum[31] ? -sum : sum;
      reg negative;
      reg [31:0] rest;  // the result itself when nothing is divided
      reg [7:0] quotient;
      wire [31:0] less = rest - {9'd0, divisor};
      wire fits = !less[31];
      wire [31:0] positive = {24'd0, quotient};

      always @(posedge clk) begin
        if (in_fire) begin
          negative <= sum[31];
          rest <= in_divide ? magnitude + {17'd0, count[15:1]} : sum;
          quotient <= 8'd0;
        end else if (stepping) begin
          if (fits) rest <= less;
          quotient <= {quotient[6:0], fits};
        end
      end

      assign out_data[32*k+:32] = !divide ? rest : negative ? -positive : positive;
    end
  endgenerate

endmodule

`default_nettype wire
