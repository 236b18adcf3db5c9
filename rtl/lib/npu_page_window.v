// npu_page_window.v : may a burst go out
//
// A window is a range of 4 KiB pages, both ends included; a limit below the base allows nothing. No burst crosses a
// page, so the page of its first byte is that of all.
`default_nettype none

module npu_page_window #(
    parameter integer ADDR_W = 32
) (
    input  wire [ADDR_W-1:0] addr,
    input  wire [ADDR_W-1:0] base,
    input  wire [ADDR_W-1:0] limit,
    output wire              permitted
);

  assign permitted = addr[ADDR_W-1:12] >= base[ADDR_W-1:12] && addr[ADDR_W-1:12] <= limit[ADDR_W-1:12];

  wire unused = &{1'b0, addr[11:0], base[11:0], limit[11:0]};

endmodule

`default_nettype wire
