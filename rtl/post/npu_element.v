// npu_element.v : two int8 words in, their sum, difference or product out, one word a cycle
//
// models/elementwise.py defines the arithmetic. Modes double and single are TFLite's: each operand minus its zero
// point, shifted left by 20 and scaled; the sum scaled again. Mode fp32 adds two products exactly and rounds
// once (docs/adr/0002); bit 6 of s_out says where its ties go. A product of the operands needs only the last
// scaling, in every mode. A word takes ten stages whichever way it goes, so that words keep their order.
`default_nettype none

module npu_element #(
    parameter integer N = 16
) (
    input  wire           clk,
    input  wire           rst_n,
    input  wire [    1:0] cfg_mode,
    input  wire [    1:0] cfg_op,      // 1 add, 2 subtract, 3 multiply
    input  wire [  159:0] cfg_record,  // docs/architecture.md, element record
    input  wire           in_valid,
    input  wire [8*N-1:0] in_data,
    input  wire [8*N-1:0] in_other,
    output wire           out_valid,
    output wire [8*N-1:0] out_data,
    output wire           busy
);

  localparam [1:0] SUBTRACT = 2'd2;
  localparam [1:0] MULTIPLY = 2'd3;
  localparam [1:0] FP32 = 2'd2;

  wire [7:0] zp1 = cfg_record[0+:8];
  wire [7:0] zp2 = cfg_record[8+:8];
  wire [7:0] out_zp = cfg_record[16+:8];
  wire [7:0] out_min = cfg_record[24+:8];
  wire [7:0] out_max = cfg_record[32+:8];
  wire [7:0] shift1 = cfg_record[40+:8];
  wire [7:0] shift2 = cfg_record[48+:8];
  wire [7:0] shift_out = cfg_record[56+:8];
  wire signed [31:0] multiplier1 = cfg_record[64+:32];
  wire signed [31:0] multiplier2 = cfg_record[96+:32];
  wire [31:0] multiplier_out = cfg_record[128+:32];

  wire is_multiply = cfg_op == MULTIPLY;
  wire is_subtract = cfg_op == SUBTRACT;
  // A sum in mode fp32 is rounded on the way; the last scaler hands it on.
  wire is_exact = cfg_mode == FP32 && !is_multiply;

  // fp32: ties as in XNNPACK, up for a sum and even before the zero point for a product; else both even after it.
  wire plain_ties = shift_out[6];

  // 0: minus zero point. 1-4: first scalers, or the exact sum. 5: sum. 6-9: last scaler. 10: clamp.
  reg [10:0] valid;

  always @(posedge clk) begin
    if (!rst_n) valid <= 11'd0;
    else valid <= {valid[9:0], in_valid};
  end

  assign out_valid = valid[10];
  assign busy = |valid;

  // fp32: round an exact sum of 42 bits, by a shift to the right of 0 to 63.
  function signed [31:0] nearest(input reg signed [42:0] value, input reg [5:0] amount);
    reg signed [42:0] floor;
    reg [63:0] mask;
    reg [63:0] rest;
    reg [63:0] tie;
    begin
      floor = value >>> amount;
      mask = ~(~64'd0 << amount);
      rest = {{21{value[42]}}, value} & mask;
      tie = (mask >> 1) + {63'd0, floor[0] == out_zp[0] && !plain_ties};
      floor = floor + {42'd0, rest > tie};
      // What does not fit is far beyond int8, and the clamp says so.
      nearest = (floor > 43'sd2147483647) ? 32'sh7FFF_FFFF :
          (floor < -43'sd2147483648) ? 32'sh8000_0000 : floor[31:0];
    end
  endfunction

  generate
    genvar k;
    for (k = 0; k < N; k = k + 1) begin : g_lane
      wire signed [ 8:0] a = {in_data[8*k+7], in_data[8*k+:8]} - {zp1[7], zp1};
      wire signed [ 8:0] b = {in_other[8*k+7], in_other[8*k+:8]} - {zp2[7], zp2};
      reg signed  [ 8:0] a0;
      reg signed  [ 8:0] b0;
      wire signed [40:0] exact_a0 = a0 * multiplier1;
      wire signed [40:0] exact_b0 = b0 * multiplier2;
      reg signed  [42:0] exact1;
      reg signed  [31:0] through2;  // what does not go through the first scalers
      reg signed  [31:0] through3;
      reg signed  [31:0] through4;
      wire signed [31:0] scaled_a4;
      wire signed [31:0] scaled_b4;
      reg signed  [31:0] sum5;
      wire signed [31:0] scaled9;
      wire signed [17:0] product0 = a0 * b0;

      npu_scale u_scale_a (
          .clk(clk),
          .cfg_mode(cfg_mode),
          .cfg_multiplier(multiplier1),
          .cfg_shift(shift1),
          .cfg_bypass(1'b0),
          .cfg_tie_odd(1'b0),
          .step(valid[3:0]),
          .in_data({{3{a0[8]}}, a0, 20'd0}),
          .out_data(scaled_a4)
      );

      npu_scale u_scale_b (
          .clk(clk),
          .cfg_mode(cfg_mode),
          .cfg_multiplier(multiplier2),
          .cfg_shift(shift2),
          .cfg_bypass(1'b0),
          .cfg_tie_odd(1'b0),
          .step(valid[3:0]),
          .in_data({{3{b0[8]}}, b0, 20'd0}),
          .out_data(scaled_b4)
      );

      always @(posedge clk) begin
        if (in_valid) begin
          a0 <= a;
          b0 <= b;
        end
        if (valid[0]) begin
          exact1 <= is_multiply ? {{25{product0[17]}}, product0} :
              is_subtract ? {{2{exact_a0[40]}}, exact_a0} - {{2{exact_b0[40]}}, exact_b0} :
              {{2{exact_a0[40]}}, exact_a0} + {{2{exact_b0[40]}}, exact_b0};
        end
        if (valid[1]) begin
          through2 <= is_multiply ? exact1[31:0] : nearest(exact1, shift_out[5:0]);
        end
        if (valid[2]) through3 <= through2;
        if (valid[3]) through4 <= through3;
        if (valid[4]) begin
          sum5 <= (is_multiply || is_exact) ? through4 :
              is_subtract ? scaled_a4 - scaled_b4 : scaled_a4 + scaled_b4;
        end
      end

      npu_scale u_scale_out (
          .clk(clk),
          .cfg_mode(cfg_mode),
          .cfg_multiplier(multiplier_out),
          .cfg_shift(shift_out),
          .cfg_bypass(is_exact),
          .cfg_tie_odd(out_zp[0] && !plain_ties),
          .step(valid[8:5]),
          .in_data(sum5),
          .out_data(scaled9)
      );

      npu_clamp u_clamp (
          .clk(clk),
          .cfg_zero_point(out_zp),
          .cfg_act_min(out_min),
          .cfg_act_max(out_max),
          .step(valid[9]),
          .in_data(scaled9),
          .out_data(out_data[8*k+:8])
      );
    end
  endgenerate

endmodule

`default_nettype wire
