// npu_account.v : to which of eight categories a cycle belongs
//
// A cycle in which a word is read belongs to its reader. Otherwise the question is why none is read, and the
// first answer that holds counts, the cause that is nearest to the array before those behind it: its data, its
// weights, then what keeps the accumulators from being emptied. Exactly one bit of `category` is high, so the
// counts add up to the cycles. docs/registers.md has the list. Purely combinational.
`default_nettype none

module npu_account (
    input  wire       conv_reads,       // the array takes a word
    input  wire       pool_reads,       // pool takes a word
    input  wire       load_missing,     // the next CONV or POOL waits for its token from load
    input  wire       units_idle,       // conv and pool have read all they were given
    input  wire       load_held,        // load does nothing: its next command waits for a token
    input  wire       weights_missing,  // the next pass waits for its weights
    input  wire       room_missing,     // post waits for a token from store
    input  wire       token_full,       // a token for load or store finds its queue full
    input  wire       drains,           // post or store is not done
    output wire [7:0] category          // {fill, drain, token, store, weights, load, pool, busy}
);

  // While units_idle is low the units could go on without new data. While load_held is high, load is not
  // what is waited for: it waits itself for the end of the work that the lines below are about.
  wire load = load_missing && units_idle && !load_held;

  assign category = conv_reads ? 8'h01 :
      pool_reads ? 8'h02 :
      load ? 8'h04 :
      weights_missing ? 8'h08 :
      room_missing ? 8'h10 :
      token_full ? 8'h20 :
      drains ? 8'h40 : 8'h80;

endmodule

`default_nettype wire
