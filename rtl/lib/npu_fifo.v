// npu_fifo.v : first-in first-out queue, valid/ready on both sides
//
// The head is visible as soon as it is in (one cycle after the push). in_ready depends on the fill
// level alone, so a full queue does not take a word in the cycle in which one leaves; that costs
// nothing at the depths used here and keeps both handshakes free of combinational paths.
// Only the pointers are reset: a word has no meaning while out_valid is low.
`default_nettype none

module npu_fifo #(
    parameter integer W = 8,     // bits of a word
    parameter integer LOG_D = 2  // log2 of the depth, at least 1
) (
    input  wire           clk,
    input  wire           rst_n,
    input  wire           in_valid,
    output wire           in_ready,
    input  wire [  W-1:0] in_data,
    output wire           out_valid,
    input  wire           out_ready,
    output wire [  W-1:0] out_data,
    // Words held, for a source that must reserve room ahead of its pushes.
    output wire [LOG_D:0] level
);

  reg [W-1:0] mem[0:(1<<LOG_D)-1];
  reg [LOG_D:0] wr_ptr;
  reg [LOG_D:0] rd_ptr;

  wire push = in_valid && in_ready;
  wire pop = out_valid && out_ready;

  assign level = wr_ptr - rd_ptr;
  assign in_ready = !level[LOG_D];
  assign out_valid = wr_ptr != rd_ptr;
  assign out_data = mem[rd_ptr[LOG_D-1:0]];

  always @(posedge clk) begin
    if (push) mem[wr_ptr[LOG_D-1:0]] <= in_data;
  end

  always @(posedge clk) begin
    if (!rst_n) begin
      wr_ptr <= 0;
      rd_ptr <= 0;
    end else begin
      if (push) wr_ptr <= wr_ptr + 1'b1;
      if (pop) rd_ptr <= rd_ptr + 1'b1;
    end
  end

endmodule

`default_nettype wire
