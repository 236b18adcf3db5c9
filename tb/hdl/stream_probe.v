// stream_probe.v : a register slice that breaks on request, to show that the stream agents notice
//
// bug: 0 none, 1 drops every eighth item, 2 lets valid fall before ready, 3 changes data while it waits,
// 4 keeps valid up in reset, 5 sends an item twice, 6 puts X on data.
`default_nettype none
module stream_probe #(
    parameter integer DATA_W = 16
) (
    input  wire              clk,
    input  wire              rst_n,
    input  wire [       2:0] bug,
    input  wire              in_valid,
    output wire              in_ready,
    input  wire [DATA_W-1:0] in_data,
    input  wire              in_last,
    output wire              out_valid,
    input  wire              out_ready,
    output wire [DATA_W-1:0] out_data,
    output wire              out_last
);
  reg               full;
  reg  [DATA_W-1:0] data;
  reg               last;
  reg  [       2:0] count;
  reg               hide;
  reg               again;
  wire              put = in_valid && in_ready;
  wire              drop = bug == 3'd1 && count == 3'd7;

  assign in_ready = !full || (out_ready && out_valid && !again);
  assign out_valid = (full && !(bug == 3'd2 && hide)) || (bug == 3'd4 && !rst_n);
  assign out_data = bug == 3'd3 && hide ? ~data : bug == 3'd6 && count == 3'd7 ? data + {DATA_W{1'bx}} : data;
  assign out_last = last;

  always @(posedge clk) begin
    if (!rst_n) begin
      full  <= 1'b0;
      count <= 3'd0;
      hide  <= 1'b0;
      again <= 1'b0;
    end else begin
      hide <= out_valid && !out_ready && !hide;
      if (put) begin
        full  <= !drop;
        count <= count + 3'd1;
        again <= bug == 3'd5 && count == 3'd7;
      end else if (out_ready && out_valid) begin
        full  <= again;
        again <= 1'b0;
      end
    end
    if (put) begin
      data <= in_data;
      last <= in_last;
    end
  end
endmodule
`resetall
