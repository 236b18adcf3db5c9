// npu_counters.v : what the core did with its cycles, and when each layer was done
//
// Cleared by start, frozen with the program's end. The stamps are a small memory and keep their values.
`default_nettype none

module npu_counters #(
    parameter integer N = 16
) (
    input  wire        clk,
    input  wire        rst_n,
    input  wire        clear,
    input  wire        busy,
    // One bit per counted condition, high in each cycle in which it holds.
    input  wire [ 7:0] events,
    input  wire        read_beat,
    input  wire        write_beat,
    input  wire        read_burst,
    input  wire        write_burst,
    input  wire        load_stamp_valid,
    input  wire [ 7:0] load_stamp_layer,
    input  wire        post_stamp_valid,
    input  wire [ 7:0] post_stamp_layer,
    input  wire        store_stamp_valid,
    input  wire [ 7:0] store_stamp_layer,
    // Word `rd_index` of the counters, or stamp `rd_index`; one cycle after rd_en.
    input  wire        rd_en,
    input  wire        rd_stamp,
    input  wire [ 7:0] rd_index,
    output reg  [31:0] rd_data
);

  localparam integer COUNTERS = 13;

  // 0 cycles, 1-8 events, 9 read bytes, 10 write bytes, 11 read bursts, 12 write bursts.
  reg [31:0] count[0:COUNTERS-1];
  wire [31:0] word_bytes = N;
  integer k;

  always @(posedge clk) begin
    if (!rst_n || clear) begin
      for (k = 0; k < COUNTERS; k = k + 1) count[k] <= 32'd0;
    end else if (busy) begin
      count[0] <= count[0] + 32'd1;
      for (k = 0; k < 8; k = k + 1) if (events[k]) count[k+1] <= count[k+1] + 32'd1;
      if (read_beat) count[9] <= count[9] + word_bytes;
      if (write_beat) count[10] <= count[10] + word_bytes;
      if (read_burst) count[11] <= count[11] + 32'd1;
      if (write_burst) count[12] <= count[12] + 32'd1;
    end
  end

  // Stamps may coincide; each is kept until the memory's one write port has taken it.
  reg [31:0] stamps[0:255];
  reg [2:0] pending;
  reg [7:0] layer[0:2];
  reg [31:0] cycle[0:2];
  wire [1:0] pick = pending[0] ? 2'd0 : pending[1] ? 2'd1 : 2'd2;

  always @(posedge clk) begin
    if (!rst_n) begin
      pending <= 3'd0;
    end else begin
      if (pending != 3'd0) pending[pick] <= 1'b0;
      if (load_stamp_valid) pending[0] <= 1'b1;
      if (post_stamp_valid) pending[1] <= 1'b1;
      if (store_stamp_valid) pending[2] <= 1'b1;
    end
  end

  always @(posedge clk) begin
    if (load_stamp_valid) begin
      layer[0] <= load_stamp_layer;
      cycle[0] <= count[0];
    end
    if (post_stamp_valid) begin
      layer[1] <= post_stamp_layer;
      cycle[1] <= count[0];
    end
    if (store_stamp_valid) begin
      layer[2] <= store_stamp_layer;
      cycle[2] <= count[0];
    end
  end

  always @(posedge clk) begin
    if (pending != 3'd0) stamps[layer[pick]] <= cycle[pick];
  end

  always @(posedge clk) begin
    if (rd_en) begin
      rd_data <= rd_stamp ? stamps[rd_index] :
          (rd_index < COUNTERS[7:0]) ? count[rd_index[3:0]] : 32'd0;
    end
  end

endmodule

`default_nettype wire
