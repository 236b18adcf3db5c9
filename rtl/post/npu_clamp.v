// npu_clamp.v : zero point and clamp, int32 to int8, one lane, one stage
//
// The sum is one bit wider than its terms, so that it saturates and does not wrap.
`default_nettype none

module npu_clamp (
    input  wire               clk,
    input  wire        [ 7:0] cfg_zero_point,
    input  wire        [ 7:0] cfg_act_min,
    input  wire        [ 7:0] cfg_act_max,
    input  wire               step,
    input  wire signed [31:0] in_data,
    output reg         [ 7:0] out_data
);

  wire signed [32:0] value = {in_data[31], in_data} + {{25{cfg_zero_point[7]}}, cfg_zero_point};
  wire signed [32:0] act_min = {{25{cfg_act_min[7]}}, cfg_act_min};
  wire signed [32:0] act_max = {{25{cfg_act_max[7]}}, cfg_act_max};

  always @(posedge clk) begin
    if (step) begin
      out_data <= (value < act_min) ? cfg_act_min : (value > act_max) ? cfg_act_max : value[7:0];
    end
  end

endmodule

`default_nettype wire
