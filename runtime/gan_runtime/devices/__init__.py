"""What devices beyond the CPU need. Imported only where ONNX Runtime was built for one."""
