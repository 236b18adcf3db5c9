// npu_table.v : any int8 -> int8 function, 256 entries, N lanes at once
//
// Two tables, so that the next layer's can be loaded while this one's is in use. A table is written once and
// read by all lanes; entry i answers the int8 value whose bits are i.
`default_nettype none

module npu_table #(
    parameter integer N = 16
) (
    input  wire           clk,
    input  wire           rst_n,
    input  wire           wr_en,
    input  wire [   15:0] wr_addr,     // words; bits above the two tables are ignored
    input  wire [8*N-1:0] wr_data,
    input  wire           cfg_enable,
    input  wire           cfg_select,
    input  wire           in_valid,
    input  wire [8*N-1:0] in_data,
    output reg            out_valid,
    output reg  [8*N-1:0] out_data
);

  localparam integer LOG_N = $clog2(N);
  localparam integer LOG_WORDS = 9 - LOG_N;

  reg [8*N-1:0] mem[0:(1<<LOG_WORDS)-1];

  always @(posedge clk) begin
    if (wr_en) mem[wr_addr[LOG_WORDS-1:0]] <= wr_data;
  end

  always @(posedge clk) begin
    if (!rst_n) out_valid <= 1'b0;
    else out_valid <= in_valid;
  end

  generate
    genvar k;
    for (k = 0; k < N; k = k + 1) begin : g_lane
      wire [7:0] value = in_data[8*k+:8];
      wire [8*N-1:0] word = mem[{cfg_select, value[7:LOG_N]}];

      always @(posedge clk) begin
        if (in_valid) begin
          out_data[8*k+:8] <= cfg_enable ? word[{value[LOG_N-1:0], 3'd0}+:8] : value;
        end
      end
    end
  endgenerate

  wire unused = &{1'b0, wr_addr[15:LOG_WORDS]};

endmodule

`default_nettype wire
