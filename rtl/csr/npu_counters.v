// npu_counters.v : what the core did with its cycles, and how far that was when each layer was done
//
// Cleared by start, frozen with the program's end. The stamps are a memory and keep their values. It takes
// one stamp a cycle: that of store at once, because its responses may come back to back; load and post hold
// theirs until they are ready. So none is lost, and each is of the cycle in which it is written.
`default_nettype none

module npu_counters #(
    parameter integer N = 16
) (
    input  wire        clk,
    input  wire        rst_n,
    input  wire        clear,
    input  wire        busy,
    // What npu_account decides by.
    input  wire        conv_reads,
    input  wire        pool_reads,
    input  wire        load_missing,
    input  wire        units_idle,
    input  wire        load_held,
    input  wire        weights_missing,
    input  wire        room_missing,
    input  wire        token_full,
    input  wire        drains,
    // Counted beside the account; they may hold together.
    input  wire        load_wait,
    input  wire        store_wait,
    input  wire        read_beat,
    input  wire        write_beat,
    input  wire        read_burst,
    input  wire        write_burst,
    input  wire        load_stamp_valid,
    output wire        load_stamp_ready,
    input  wire [ 7:0] load_stamp_layer,
    input  wire        post_stamp_valid,
    output wire        post_stamp_ready,
    input  wire [ 7:0] post_stamp_layer,
    input  wire        store_stamp_valid,
    input  wire [ 7:0] store_stamp_layer,
    // Counter rd_index; or of layer rd_index[10:3] the cycle (part ignored) or count rd_index[2:0] of its
    // account. Data one cycle after rd_en.
    input  wire        rd_en,
    input  wire        rd_stamp,
    input  wire        rd_account,
    input  wire [10:0] rd_index,
    output wire [31:0] rd_data
);

  localparam integer CATEGORIES = 8;
  localparam integer OTHERS = 6;
  localparam integer COUNTERS = 1 + CATEGORIES + OTHERS;

  wire [CATEGORIES-1:0] category;

  npu_account u_account (
      .conv_reads(conv_reads),
      .pool_reads(pool_reads),
      .load_missing(load_missing),
      .units_idle(units_idle),
      .load_held(load_held),
      .weights_missing(weights_missing),
      .room_missing(room_missing),
      .token_full(token_full),
      .drains(drains),
      .category(category)
  );

  // In the order of the registers: cycles, the account, then waits, bytes and bursts.
  reg [31:0] count[0:COUNTERS-1];
  wire [31:0] word_bytes = N;
  integer k;

  always @(posedge clk) begin
    if (!rst_n || clear) begin
      for (k = 0; k < COUNTERS; k = k + 1) count[k] <= 32'd0;
    end else if (busy) begin
      count[0] <= count[0] + 32'd1;
      for (k = 0; k < CATEGORIES; k = k + 1) if (category[k]) count[k+1] <= count[k+1] + 32'd1;
      if (load_wait) count[9] <= count[9] + 32'd1;
      if (store_wait) count[10] <= count[10] + 32'd1;
      if (read_beat) count[11] <= count[11] + word_bytes;
      if (write_beat) count[12] <= count[12] + word_bytes;
      if (read_burst) count[13] <= count[13] + 32'd1;
      if (write_burst) count[14] <= count[14] + 32'd1;
    end
  end

  // ---------------------------------------------------------------- stamps

  reg [31:0] stamps[0:255];
  reg [32*CATEGORIES-1:0] accounts[0:255];
  wire stamp = store_stamp_valid || post_stamp_valid || load_stamp_valid;
  wire [7:0] layer = store_stamp_valid ? store_stamp_layer :
      post_stamp_valid ? post_stamp_layer : load_stamp_layer;

  assign post_stamp_ready = !store_stamp_valid;
  assign load_stamp_ready = !store_stamp_valid && !post_stamp_valid;

  always @(posedge clk) begin
    if (stamp) begin
      stamps[layer] <= count[0];
      accounts[layer] <= {
        count[8], count[7], count[6], count[5], count[4], count[3], count[2], count[1]
      };
    end
  end

  // ---------------------------------------------------------------- reads

  reg from_account;
  reg [2:0] part;
  reg [31:0] word;
  reg [32*CATEGORIES-1:0] account;

  assign rd_data = from_account ? account[32*part+:32] : word;

  always @(posedge clk) begin
    if (rd_en) begin
      from_account <= rd_account;
      part <= rd_index[2:0];
      account <= accounts[rd_index[10:3]];
      word <= rd_stamp ? stamps[rd_index[10:3]] :
          (rd_index < COUNTERS[10:0]) ? count[rd_index[3:0]] : 32'd0;
    end
  end

endmodule

`default_nettype wire
