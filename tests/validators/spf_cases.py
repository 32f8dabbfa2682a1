#!/usr/bin/python3
"""Turns a suite of SPF cases (JSON) into lines that spf_suite_test reads.

CASE name / IP text / HELO =hex / FROM =hex / EXPECT result,... /
RR =hex(name) TYPE preference =hex(data) / END
"""
import json
import sys


def hexed(text):
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    return "=" + data.hex()


def record_lines(name, record):
    if record.get("action") == "timeout":
        yield f"RR {hexed(name)} TIMEOUT 0 ="
        return
    if "strings_hex" in record:
        data = b"".join(bytes.fromhex(s) for s in record["strings_hex"])
    else:
        data = record["data"].encode()
    yield f"RR {hexed(name)} {record['type']} {record.get('pref', 0)} {hexed(data)}"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        suite = json.load(file)
    for case in suite["cases"]:
        print("CASE", case["name"])
        print("IP", case["ip"])
        print("HELO", hexed(case["helo"]))
        print("FROM", hexed(case["mailfrom"] or ""))
        print("EXPECT", ",".join(case["expected"]))
        for name, records in suite["zones"][case["zone"]].items():
            for record in records:
                for line in record_lines(name, record):
                    print(line)
        print("END")


main()
