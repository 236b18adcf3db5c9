// npu_buffer.v : one write port, one read port, a word a cycle on each
//
// The shape of an SRAM or block RAM: registered read, output held while rd_en is low, no reset. A read
// in the cycle that writes the same word returns the old one; the tokens between the engines keep
// that from mattering.
`default_nettype none

module npu_buffer #(
    parameter integer W = 128,  // bits of a word
    parameter integer LOG_D = 13  // log2 of the depth in words
) (
    input  wire             clk,
    input  wire             wr_en,
    input  wire [LOG_D-1:0] wr_addr,
    input  wire [    W-1:0] wr_data,
    input  wire             rd_en,
    input  wire [LOG_D-1:0] rd_addr,
    output reg  [    W-1:0] rd_data
);

  reg [W-1:0] mem[0:(1<<LOG_D)-1];

  always @(posedge clk) begin
    if (wr_en) mem[wr_addr] <= wr_data;
  end

  always @(posedge clk) begin
    if (rd_en) rd_data <= mem[rd_addr];
  end

endmodule

`default_nettype wire
