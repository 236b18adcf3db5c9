// npu_store_data.v : bursts of buffer words onto the AXI write data channel
//
// The buffer answers one cycle after it is asked, and the bus may stall at any time: words land in a small
// queue, and none is asked for that the queue could not take. A word a cycle when nobody stalls.
`default_nettype none

module npu_store_data #(
    parameter integer N = 16,
    parameter integer LOG_BURSTS = 3  // log2 of the bursts that may wait
) (
    input  wire           clk,
    input  wire           rst_n,
    input  wire           burst_valid,
    output wire           burst_ready,
    input  wire [    7:0] burst_len,    // beats - 1
    input  wire [   15:0] burst_addr,   // of its first word in the buffer
    output wire           rd_en,
    output wire [   15:0] rd_addr,
    input  wire [8*N-1:0] rd_data,
    output wire           w_valid,
    input  wire           w_ready,
    output wire [8*N-1:0] w_data,
    output wire           w_last
);

  wire q_valid;
  wire [7:0] q_len;
  wire [15:0] q_addr;
  wire [LOG_BURSTS:0] unused_level;
  wire [2:0] held;
  wire unused_ready;
  reg [7:0] beat;
  reg pending;  // a word comes from the buffer in this cycle
  reg pending_last;

  // Room for this word behind those held and the one on its way.
  wire ends = beat == q_len;
  assign rd_en   = q_valid && (held + {2'd0, pending} < 3'd4);
  assign rd_addr = q_addr + {8'd0, beat};

  npu_fifo #(
      .W(24),
      .LOG_D(LOG_BURSTS)
  ) u_bursts (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(burst_valid),
      .in_ready(burst_ready),
      .in_data({burst_len, burst_addr}),
      .out_valid(q_valid),
      .out_ready(rd_en && ends),
      .out_data({q_len, q_addr}),
      .level(unused_level)
  );

  always @(posedge clk) begin
    if (!rst_n) begin
      beat <= 8'd0;
      pending <= 1'b0;
    end else begin
      pending <= rd_en;
      if (rd_en) beat <= ends ? 8'd0 : beat + 8'd1;
    end
  end

  always @(posedge clk) begin
    if (rd_en) pending_last <= ends;
  end

  npu_fifo #(
      .W(8 * N + 1),
      .LOG_D(2)
  ) u_words (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(pending),
      .in_ready(unused_ready),
      .in_data({pending_last, rd_data}),
      .out_valid(w_valid),
      .out_ready(w_ready),
      .out_data({w_last, w_data}),
      .level(held)
  );

endmodule

`default_nettype wire
