// npu_requant.v : N int32 sums in, N int8 activations out, one word a cycle
//
// Bias, scale (npu_scale), zero point, clamp. Only the valid bits are reset; configuration is stable while busy.
`default_nettype none

module npu_requant #(
    parameter integer N = 16
) (
    input  wire            clk,
    input  wire            rst_n,
    input  wire [     1:0] cfg_mode,
    input  wire [32*N-1:0] cfg_bias,
    input  wire [32*N-1:0] cfg_multiplier,
    input  wire [ 8*N-1:0] cfg_shift,
    input  wire            cfg_bypass,      // no bias, no scaling
    input  wire [     7:0] cfg_zero_point,
    input  wire [     7:0] cfg_act_min,
    input  wire [     7:0] cfg_act_max,
    input  wire            in_valid,
    input  wire [32*N-1:0] in_acc,
    output wire            out_valid,
    output wire [ 8*N-1:0] out_data,
    output wire            busy
);

  // Stages 1 to 4 are npu_scale's, behind the bias; 5: zero point and clamp.
  reg [5:1] valid;

  always @(posedge clk) begin
    if (!rst_n) valid <= 5'd0;
    else valid <= {valid[4:1], in_valid};
  end

  assign out_valid = valid[5];
  assign busy = |valid;

  generate
    genvar k;
    for (k = 0; k < N; k = k + 1) begin : g_lane
      wire [31:0] bias = cfg_bypass ? 32'd0 : cfg_bias[32*k+:32];
      wire signed [31:0] scaled4;

      npu_scale u_scale (
          .clk(clk),
          .cfg_mode(cfg_mode),
          .cfg_multiplier(cfg_multiplier[32*k+:32]),
          .cfg_shift(cfg_shift[8*k+:8]),
          .cfg_bypass(cfg_bypass),
          .cfg_tie_odd(1'b0),
          .step({valid[3:1], in_valid}),
          .in_data(in_acc[32*k+:32] + bias),
          .out_data(scaled4)
      );

      npu_clamp u_clamp (
          .clk(clk),
          .cfg_zero_point(cfg_zero_point),
          .cfg_act_min(cfg_act_min),
          .cfg_act_max(cfg_act_max),
          .step(valid[4]),
          .in_data(scaled4),
          .out_data(out_data[8*k+:8])
      );
    end
  endgenerate

endmodule

`default_nettype wire
