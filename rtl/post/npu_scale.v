// npu_scale.v : an int32 times a real multiplier, rounded to int32 in one of three ways
//
// models/quantize.py:requantize defines the arithmetic; the runtimes disagree by one LSB, so the mode comes with
// the layer. Four stages, one lane:
//   0 double  (x << max(s,0)) * M / 2^31, ties up (the reference's nudge of 1 - 2^30 below zero and truncating
//             division is the same thing), then / 2^max(-s,0), ties away from zero
//   1 single  x * M / 2^(31-s), ties up
//   2 fp32    x to float32, times the float32 whose bits M holds, to int: each step to nearest, ties to even
// fp32 never builds a float: the mantissas go through the same multiplier and the exponent beside it.
// Configuration is stable while busy; nothing is reset, the caller carries valid along.
`default_nettype none

module npu_scale (
    input  wire               clk,
    input  wire        [ 1:0] cfg_mode,
    input  wire        [31:0] cfg_multiplier,  // Q31, or float32 bits
    input  wire        [ 7:0] cfg_shift,       // int8, positive is left
    input  wire               cfg_bypass,      // hand x on
    // One bit per stage: a word moves into it in this cycle.
    input  wire        [ 3:0] step,
    input  wire signed [31:0] in_data,
    output reg signed  [31:0] out_data         // four steps later
);

  localparam [1:0] SINGLE = 2'd1;
  localparam [1:0] FP32 = 2'd2;

  wire is_single = cfg_mode == SINGLE;
  wire is_fp32 = cfg_mode == FP32;

  // Shifts beyond these are taken as their low bits; the compiler makes none.
  wire [4:0] left = cfg_shift[7] ? 5'd0 : cfg_shift[4:0];
  wire [4:0] right = cfg_shift[7] ? -cfg_shift[4:0] : 5'd0;
  wire [7:0] total = 8'd31 - cfg_shift;  // of mode single, 1 to 62

  // ---------------------------------------------------------------- stage 1: operand

  // To float32: the 24 bits below the leading one, rounded.
  wire negative0 = in_data[31];
  wire [31:0] magnitude0 = negative0 ? -in_data : in_data;
  reg [4:0] zeros0;
  integer b;

  always @* begin
    zeros0 = 5'd31;
    for (b = 0; b < 32; b = b + 1) if (magnitude0[b]) zeros0 = 5'd31 - b[4:0];
  end

  wire [31:0] normal0 = magnitude0 << zeros0;
  wire up0 = normal0[7] && (normal0[6:0] != 7'd0 || normal0[8]);
  wire [24:0] mantissa0 = {1'b0, normal0[31:8]} + {24'd0, up0};

  reg signed [31:0] operand1;
  reg negative1;
  reg [4:0] zeros1;

  always @(posedge clk) begin
    if (step[0]) begin
      operand1  <= (cfg_bypass || is_single) ? in_data : is_fp32 ? {7'd0, mantissa0} : in_data << left;
      negative1 <= negative0;
      zeros1 <= zeros0;
    end
  end

  // ---------------------------------------------------------------- stage 2: product

  // A subnormal or zero float32 times any int32 rounds to 0.
  wire tiny = cfg_multiplier[30:23] == 8'd0;
  wire [23:0] mantissa_m = tiny ? 24'd0 : {1'b1, cfg_multiplier[22:0]};
  wire signed [31:0] multiplier = is_fp32 ? {8'd0, mantissa_m} : cfg_multiplier;
  wire signed [63:0] product1 = operand1 * multiplier;
  reg signed [63:0] product2;
  reg negative2;
  reg [4:0] zeros2;

  always @(posedge clk) begin
    if (step[1]) begin
      product2  <= cfg_bypass ? {{32{operand1[31]}}, operand1} : product1;
      negative2 <= negative1 ^ (is_fp32 && cfg_multiplier[31]);
      zeros2    <= zeros1;
    end
  end

  // ---------------------------------------------------------------- stage 3: first rounding

  // double: only INT_MIN * INT_MIN leaves the range.
  wire signed [63:0] nudged2 = product2 + 64'sd1073741824;
  wire overflow2 = !nudged2[63] && nudged2[62];
  // single: the whole way at once.
  wire [63:0] half2 = 64'd1 << (total[5:0] - 6'd1);
  wire signed [63:0] biased2 = product2 + half2;
  wire signed [63:0] single2 = biased2 >>> total[5:0];
  // fp32: the product has its leading one in bit 47 or 46; round it to 24 bits.
  wire high2 = product2[47];
  wire [23:0] kept2 = high2 ? product2[47:24] : product2[46:23];
  wire guard2 = high2 ? product2[23] : product2[22];
  wire sticky2 = product2[21:0] != 22'd0 || (high2 && product2[22]);
  wire up2 = guard2 && (sticky2 || kept2[0]);
  wire [24:0] float2 = {1'b0, kept2} + {24'd0, up2};
  // Weight of float2's last bit: 8 - zeros (of the operand), exponent - 150 (of the multiplier), and the bits
  // that the product dropped. Negated, it is the shift to the right that makes an integer.
  wire signed [10:0] right2 = 11'sd118 + {6'd0, zeros2} - {3'd0, cfg_multiplier[30:23]} +
      (high2 ? 11'sd0 : 11'sd1);

  reg signed [31:0] high3;
  reg negative3;
  reg huge3;  // fp32: beyond 2^23, which saturates whatever follows
  reg [4:0] right3;

  always @(posedge clk) begin
    if (step[2]) begin
      high3 <= cfg_bypass ? product2[31:0] : is_fp32 ? {7'd0, float2} : is_single ? single2[31:0] :
          overflow2 ? 32'sh7FFF_FFFF : nudged2[62:31];
      negative3 <= negative2;
      huge3 <= right2 <= 11'sd0 && float2 != 25'd0;
      // 26 or more leave nothing, not even a tie.
      right3 <= (right2 > 11'sd26) ? 5'd26 : right2[4:0];
    end
  end

  // ---------------------------------------------------------------- stage 4: second rounding

  wire [4:0] right_by = is_fp32 ? right3 : right;
  wire [31:0] mask3 = ~(32'hFFFF_FFFF << right_by);
  wire [31:0] rest3 = high3 & mask3;
  wire signed [31:0] floor3 = high3 >>> right_by;
  // double, half away from zero: a negative tie needs one more than the positive one.
  wire [31:0] half3 = (mask3 >> 1) + {31'd0, high3[31]};
  // fp32, on the magnitude, half to even: an odd floor goes up on the tie.
  wire [31:0] even3 = (mask3 >> 1) + {31'd0, !floor3[0]};
  wire up3 = rest3 > (is_fp32 ? even3 : half3);
  wire [31:0] near3 = floor3 + {31'd0, up3};
  wire [31:0] magnitude3 = huge3 ? 32'h7FFF_FFFF : near3;

  always @(posedge clk) begin
    if (step[3]) begin
      out_data <= (cfg_bypass || is_single) ? high3 : !is_fp32 ? near3 :
          negative3 ? -magnitude3 : magnitude3;
    end
  end

  wire unused = &{1'b0, cfg_shift[6:5], nudged2[30:0], single2[63:32], total[7:6], right2[10:5]};

endmodule

`default_nettype wire
