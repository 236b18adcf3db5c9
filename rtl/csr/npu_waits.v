// npu_waits.v : what the core waits for, for the record of the watchdog (docs/architecture.md)
//
// Nothing moves when the watchdog ends a program, so what is true in that cycle has been true for all of its limit.
`default_nettype none

module npu_waits (
    // On the bus.
    input  wire        ar_waits,             // an address or a word is offered and not taken
    input  wire        aw_waits,
    input  wire        w_waits,
    input  wire        fetch_flying,         // a burst is not answered
    input  wire        load_flying,
    input  wire        store_flying,
    input  wire [15:0] load_flying_cmd,
    input  wire [15:0] store_flying_cmd,
    // For a token: the head of the engine's queue, and what it lacks.
    input  wire        load_lacks_compute,
    input  wire        load_lacks_store,
    input  wire [15:0] load_cmd,
    input  wire        compute_lacks_load,
    input  wire [15:0] compute_cmd,
    input  wire        post_lacks_store,
    input  wire        store_lacks_compute,
    input  wire [15:0] store_cmd,
    // With a token that finds no room.
    input  wire        load_full,
    input  wire        compute_full,
    input  wire        store_full,
    output wire [31:0] waits,
    output reg  [15:0] cmd                   // of the first wait that has one; else 0
);

  assign waits = {
    13'd0,
    store_full,
    compute_full,
    load_full,
    3'd0,
    store_lacks_compute,
    post_lacks_store,
    compute_lacks_load,
    load_lacks_store,
    load_lacks_compute,
    2'd0,
    store_flying,
    w_waits,
    aw_waits,
    load_flying,
    fetch_flying,
    ar_waits
  };

  always @* begin
    if (load_flying) cmd = load_flying_cmd;
    else if (store_flying) cmd = store_flying_cmd;
    else if (load_lacks_compute || load_lacks_store) cmd = load_cmd;
    else if (compute_lacks_load) cmd = compute_cmd;
    else if (store_lacks_compute) cmd = store_cmd;
    else cmd = 16'd0;
  end

endmodule

`default_nettype wire
