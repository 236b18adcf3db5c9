// buffer_bench.v : npu_buffer with the reset pin that every bench has
`default_nettype none

module buffer_bench #(
    parameter integer W = 32,
    parameter integer LOG_D = 4
) (
    input  wire             clk,
    input  wire             rst_n,
    input  wire             wr_en,
    input  wire [LOG_D-1:0] wr_addr,
    input  wire [    W-1:0] wr_data,
    input  wire             rd_en,
    input  wire [LOG_D-1:0] rd_addr,
    output wire [    W-1:0] rd_data
);

  npu_buffer #(
      .W(W),
      .LOG_D(LOG_D)
  ) u_buffer (
      .clk(clk),
      .wr_en(wr_en),
      .wr_addr(wr_addr),
      .wr_data(wr_data),
      .rd_en(rd_en),
      .rd_addr(rd_addr),
      .rd_data(rd_data)
  );

  wire unused = rst_n;

endmodule

`default_nettype wire
