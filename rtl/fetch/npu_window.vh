// npu_window.vh : the largest window of a CONV that takes all its taps at once, as in models/config.py
//
// Included inside a module with a parameter N: a column has N multipliers, so at most N taps.
localparam integer WIN_ROWS = N == 4 ? 1 : N == 8 ? 2 : N == 16 ? 3 : 5;
localparam integer WIN_COLS = N == 4 ? 4 : N == 8 ? 4 : N == 16 ? 5 : 6;
