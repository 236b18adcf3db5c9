// npu_scale.v : an int32 times a real multiplier, rounded to int32 in one of three ways
//
// models/quantize.py:requantize defines the arithmetic; the runtimes disagree by one LSB, so the mode comes with
// the layer. Four stages, one lane:
//   0 double  (x << max(s,0)) * M / 2^31, ties up (the reference's nudge of 1 - 2^30 below zero and truncating
//             division is the same thing), then / 2^max(-s,0), ties away from zero
//   1 single  x * M / 2^(31-s), ties up
//   2 fp32    x to float32, times the float32 whose bits M holds, to int: each step to nearest, ties to even
// fp32 never builds a float: the mantissas go through the same multiplier and the exponent beside it.
// Configuration is stable while busy; nothing is reset, the caller carries valid along. Each stage is a function
// called under its enable: a simulator then skips what is idle, and post is idle most of the time.
`default_nettype none

module npu_scale (
    input  wire               clk,
    input  wire        [ 1:0] cfg_mode,
    input  wire        [31:0] cfg_multiplier,  // Q31, or float32 bits
    input  wire        [ 7:0] cfg_shift,       // int8, positive is left
    input  wire               cfg_bypass,      // hand x on
    // fp32: ties go to odd, for a caller who adds an odd zero point and wants the sum to be even.
    input  wire               cfg_tie_odd,
    // One bit per stage: a word moves into it in this cycle.
    input  wire        [ 3:0] step,
    input  wire signed [31:0] in_data,
    output reg signed  [31:0] out_data         // four steps later
);

  localparam [1:0] SINGLE = 2'd1;
  localparam [1:0] FP32 = 2'd2;

  reg signed [31:0] operand1;
  reg negative1;
  reg [4:0] zeros1;
  reg signed [63:0] product2;
  reg negative2;
  reg [4:0] zeros2;
  reg signed [31:0] high3;
  reg negative3;
  reg huge3;  // fp32: beyond 2^23, which saturates whatever follows
  reg [4:0] right3;

  wire unused = &{1'b0, cfg_shift[6:5]};  // compilers make no shift beyond [-31, 30]

  // Stage 1: {leading zeros, operand}. To float32, that is the 24 bits from the leading one on, rounded.
  function automatic [36:0] operand(input reg signed [31:0] x);
    reg [31:0] magnitude;
    reg [31:0] normal;
    reg [ 4:0] zeros;
    begin
      zeros = 5'd0;
      if (cfg_bypass || cfg_mode == SINGLE) begin
        operand = {zeros, x};
      end else if (cfg_mode != FP32) begin
        operand = {zeros, cfg_shift[7] ? x : x << cfg_shift[4:0]};
      end else begin
        normal = x[31] ? -x : x;
        magnitude = normal;
        if (normal[31:16] == 16'd0) begin
          zeros[4] = 1'b1;
          normal   = normal << 16;
        end
        if (normal[31:24] == 8'd0) begin
          zeros[3] = 1'b1;
          normal   = normal << 8;
        end
        if (normal[31:28] == 4'd0) begin
          zeros[2] = 1'b1;
          normal   = normal << 4;
        end
        if (normal[31:30] == 2'd0) begin
          zeros[1] = 1'b1;
          normal   = normal << 2;
        end
        if (!normal[31]) begin
          zeros[0] = 1'b1;
          normal   = normal << 1;
        end
        operand = {
          zeros, {8'd0, normal[31:8]} + {31'd0, normal[7] && (normal[6:0] != 7'd0 || normal[8])}
        };
        if (magnitude == 32'd0) operand = 37'd0;
      end
    end
  endfunction

  // Stage 2. A subnormal or zero float32 times any int32 rounds to 0.
  function automatic signed [63:0] product(input reg signed [31:0] x);
    reg signed [31:0] m;
    begin
      m = cfg_multiplier;
      if (cfg_mode == FP32) m = (m[30:23] == 8'd0) ? 32'd0 : {9'd1, m[22:0]};
      if (cfg_bypass) product = {{32{x[31]}}, x};
      else product = x * m;
    end
  endfunction

  // Stage 3, fp32: {huge, shift still to come, 24 bits}. The product has its leading one in bit 47 or 46. The
  // weight of the last bit kept is 8 - zeros (of the operand) plus exponent - 150 (of the multiplier) plus the
  // bits dropped; negated, it is the shift to the right that makes an integer.
  function automatic [37:0] float_round(input reg [47:0] p, input reg [4:0] zeros);
    reg [24:0] kept;
    reg up;
    reg signed [10:0] right;
    begin
      if (p[47]) begin
        kept = {1'b0, p[47:24]};
        up   = p[23] && (p[22:0] != 23'd0 || kept[0]);
      end else begin
        kept = {1'b0, p[46:23]};
        up   = p[22] && (p[21:0] != 22'd0 || kept[0]);
      end
      kept = kept + {24'd0, up};
      right = 11'sd118 + {6'd0, zeros} - {3'd0, cfg_multiplier[30:23]} + {10'd0, !p[47]};
      float_round[31:0] = {7'd0, kept};
      // 26 or more leave nothing, not even a tie.
      float_round[36:32] = (right > 11'sd26) ? 5'd26 : right[4:0];
      float_round[37] = right <= 11'sd0 && kept != 25'd0;
    end
  endfunction

  // Stage 3, double and single. Of double's products only INT_MIN * INT_MIN leaves the range.
  function automatic signed [31:0] first_round(input reg signed [63:0] p);
    reg signed [63:0] sum;
    reg [5:0] amount;
    begin
      if (cfg_bypass) begin
        first_round = p[31:0];
      end else if (cfg_mode == SINGLE) begin
        amount = 6'd31 - cfg_shift[5:0];  // 1 to 62
        sum = p + (64'sd1 << (amount - 6'd1));
        sum = sum >>> amount;
        first_round = sum[31:0];
      end else begin
        sum = p + 64'sd1073741824;
        first_round = (!sum[63] && sum[62]) ? 32'sh7FFF_FFFF : sum[62:31];
      end
    end
  endfunction

  // Stage 4: a shift to the right. Ties of double go away from zero, so a negative one needs one more than the
  // positive; those of fp32, on magnitudes, go to even, so an odd floor goes up.
  function automatic signed [31:0] second_round(input reg signed [31:0] x);
    reg signed [31:0] floor;
    reg [31:0] mask;
    reg [4:0] amount;
    reg tie_up;
    begin
      if (cfg_bypass || cfg_mode == SINGLE) begin
        second_round = x;
      end else begin
        amount = (cfg_mode == FP32) ? right3 : cfg_shift[7] ? -cfg_shift[4:0] : 5'd0;
        mask   = ~(32'hFFFF_FFFF << amount);
        floor  = x >>> amount;
        tie_up = (cfg_mode == FP32) ? floor[0] ^ cfg_tie_odd : !x[31];
        if ((x & mask) > (mask >> 1) + {31'd0, !tie_up}) floor = floor + 32'sd1;
        second_round = floor;
        if (cfg_mode == FP32) begin
          if (huge3) second_round = 32'sh7FFF_FFFF;
          if (negative3) second_round = -second_round;
        end
      end
    end
  endfunction

  always @(posedge clk) begin
    if (step[0]) begin
      {zeros1, operand1} <= operand(in_data);
      negative1 <= in_data[31];
    end
    if (step[1]) begin
      product2  <= product(operand1);
      negative2 <= negative1 ^ cfg_multiplier[31];
      zeros2    <= zeros1;
    end
    if (step[2]) begin
      if (cfg_mode == FP32 && !cfg_bypass)
        {huge3, right3, high3} <= float_round(product2[47:0], zeros2);
      else high3 <= first_round(product2);
      negative3 <= negative2;
    end
    if (step[3]) out_data <= second_round(high3);
  end

endmodule

`default_nettype wire
