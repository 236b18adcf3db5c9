// npu_requant.v : N int32 sums in, N int8 activations out, one word a cycle
//
// models/quantize.py:requantize defines the arithmetic. Rounding mode `double`:
//   x = (sum + bias) << max(shift, 0)                      wraps in int32
//   x = round(x * multiplier / 2^31)                       ties towards +infinity
//   x = round(x / 2^max(-shift, 0))                        ties away from zero
// then zero point and clamp. The first rounding is the reference's "rounding doubling high multiply", whose
// nudge of 1 - 2^30 below zero followed by a division that truncates is the same as adding 2^30 and
// shifting. Only the valid bits are reset; configuration is stable while busy.
`default_nettype none

module npu_requant #(
    parameter integer N = 16
) (
    input  wire            clk,
    input  wire            rst_n,
    input  wire [32*N-1:0] cfg_bias,
    input  wire [32*N-1:0] cfg_multiplier,  // Q31
    input  wire [ 8*N-1:0] cfg_shift,       // int8, positive is left
    input  wire            cfg_bypass,      // no bias, no scaling
    input  wire [     7:0] cfg_zero_point,
    input  wire [     7:0] cfg_act_min,
    input  wire [     7:0] cfg_act_max,
    input  wire            in_valid,
    input  wire [    15:0] in_addr,         // where the word goes; travels along
    input  wire [32*N-1:0] in_acc,
    output wire            out_valid,
    output wire [    15:0] out_addr,
    output wire [ 8*N-1:0] out_data,
    output wire            busy
);

  // Stage 1: bias and left shift. 2: product. 3: first rounding. 4: second rounding. 5: zero point, clamp.
  reg [ 5:1] valid;
  reg [15:0] addr  [1:5];

  always @(posedge clk) begin
    if (!rst_n) valid <= 5'd0;
    else valid <= {valid[4:1], in_valid};
  end

  always @(posedge clk) begin
    if (in_valid) addr[1] <= in_addr;
    if (valid[1]) addr[2] <= addr[1];
    if (valid[2]) addr[3] <= addr[2];
    if (valid[3]) addr[4] <= addr[3];
    if (valid[4]) addr[5] <= addr[4];
  end

  assign out_valid = valid[5];
  assign out_addr = addr[5];
  assign busy = |valid;

  wire signed [32:0] act_min = {{25{cfg_act_min[7]}}, cfg_act_min};
  wire signed [32:0] act_max = {{25{cfg_act_max[7]}}, cfg_act_max};

  generate
    genvar k;
    for (k = 0; k < N; k = k + 1) begin : g_lane
      wire signed [31:0] multiplier = cfg_multiplier[32*k+:32];
      wire [7:0] shift = cfg_shift[8*k+:8];
      // Shifts outside [-31, 31] are taken as sign and low five bits; the compiler makes none.
      wire [4:0] left = shift[7] ? 5'd0 : shift[4:0];
      wire [4:0] right = shift[7] ? -shift[4:0] : 5'd0;

      wire [31:0] biased = in_acc[32*k+:32] + cfg_bias[32*k+:32];
      reg signed [31:0] scaled1;
      wire signed [63:0] product1 = scaled1 * multiplier;
      reg signed [63:0] product2;
      reg signed [31:0] high3;
      reg signed [31:0] rounded4;
      reg [7:0] clamped5;

      wire signed [63:0] nudged2 = product2 + 64'sd1073741824;
      // Only INT_MIN * INT_MIN leaves the range.
      wire overflow2 = !nudged2[63] && nudged2[62];

      // Half away from zero: a negative tie needs one more than the positive one.
      wire [31:0] mask3 = ~(32'hFFFF_FFFF << right);
      wire [31:0] rest3 = high3 & mask3;
      wire [31:0] half3 = (mask3 >> 1) + {31'd0, high3[31]};
      wire signed [31:0] floor3 = high3 >>> right;

      // One bit wider, so that a zero point on top of a large sum saturates and does not wrap.
      wire signed [32:0] shifted4 = {rounded4[31], rounded4} + {{25{cfg_zero_point[7]}}, cfg_zero_point};

      always @(posedge clk) begin
        if (in_valid) scaled1 <= cfg_bypass ? in_acc[32*k+:32] : biased << left;
        if (valid[1]) product2 <= cfg_bypass ? {{32{scaled1[31]}}, scaled1} : product1;
        if (valid[2]) begin
          high3 <= cfg_bypass ? product2[31:0] : overflow2 ? 32'sh7FFF_FFFF : nudged2[62:31];
        end
        if (valid[3]) begin
          rounded4 <= cfg_bypass ? high3 : floor3 + {31'd0, rest3 > half3};
        end
        if (valid[4]) begin
          clamped5 <= (shifted4 < act_min) ? cfg_act_min : (shifted4 > act_max) ? cfg_act_max :
              shifted4[7:0];
        end
      end

      assign out_data[8*k+:8] = clamped5;

      wire unused = &{1'b0, shift[6:5], nudged2[30:0]};
    end
  endgenerate

endmodule

`default_nettype wire
