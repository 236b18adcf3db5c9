"""The registers of rtl/csr/npu.rdl against the whole core, by the bus and from inside."""
