"""Stores in HBase, through its Thrift gateway, by happybase."""

from timeline.drivers.hbase.driver import HbaseDriver, open

__all__ = ["HbaseDriver", "open"]
