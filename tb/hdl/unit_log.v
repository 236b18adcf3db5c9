// unit_log.v : what the units of the core did, window by window
//
// Looks into the core: the counters as they stand at the end of every window, and what no counter has. The
// records are differences for tb/chip/activity.py to take; here they cost a comparison a cycle. Read while
// the simulation runs, the file also says how far the program is.
//
// A record is 19 words of 32 bits, least significant byte first: the memory's cycle, the layers that were
// done (modulo 256), words that post has written, cycles in which it waited for store, and the counters in
// the order of their registers.
`default_nettype none

module unit_log #(
    parameter [8*256-1:0] LOG = 0
) (
    input wire         clk,
    // Cycles of a window, a power of two; 0: nothing is logged. Stable while a program runs.
    input wire [ 31:0] window,
    input wire         busy,          // a program runs
    input wire [ 31:0] memory_cycle,
    input wire [479:0] counters,      // counter 0, the program's cycles, in the lowest word
    input wire         post_word,
    input wire         post_waits,
    input wire         stamp_valid,
    input wire [  7:0] stamp_layer
);

  // Cycles between two looks that a reader may take.
  localparam [31:0] FRESH = 32'd16384;

  reg [8*256-1:0] path;
  integer file;
  reg was_busy;
  reg [31:0] post_words;
  reg [31:0] post_held;
  reg [7:0] layers;
  wire [31:0] cycles = counters[31:0];
  wire ended = was_busy && !busy;

  initial begin
    was_busy = 1'b0;
    post_words = 32'd0;
    post_held = 32'd0;
    layers = 8'd0;
    path = LOG;
    file = $fopen(path, "wb");
    if (file == 0) begin
      $display("unit_log: cannot write %0s", LOG);
      $finish;
    end
  end

  always @(posedge clk) begin
    was_busy <= busy;
    if (busy && !was_busy) begin
      post_words <= 32'd0;
      post_held <= 32'd0;
      layers <= 8'd0;
    end else begin
      if (post_word) post_words <= post_words + 32'd1;
      if (post_waits) post_held <= post_held + 32'd1;
      if (stamp_valid) layers <= stamp_layer + 8'd1;
    end
  end

  always @(posedge clk) begin
    if (window != 0 && (busy || ended)) begin
      if (ended || (cycles & (window - 32'd1)) == 0)
        $fwrite(file, "%u", {counters, post_held, post_words, {24'd0, layers}, memory_cycle});
      if (ended || (cycles & (FRESH - 32'd1)) == 0) $fflush(file);
    end
  end

endmodule

`default_nettype wire
