package main

import (
	"fmt"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// newLog returns the log on standard error, and its level, which may change.
func newLog(level string) (*zap.Logger, zap.AtomicLevel, error) {
	cfg := zap.NewProductionConfig()
	at, err := levelNamed(level)
	if err != nil {
		return nil, cfg.Level, err
	}
	cfg.Level.SetLevel(at)
	cfg.Encoding = "console"
	cfg.DisableStacktrace = true
	cfg.EncoderConfig.EncodeTime = zapcore.RFC3339TimeEncoder
	log, err := cfg.Build()
	return log, cfg.Level, err
}

func levelNamed(name string) (level zapcore.Level, err error) {
	if err := level.UnmarshalText([]byte(name)); err != nil || name == "" || level > zapcore.ErrorLevel {
		return level, fmt.Errorf("log level %q: not debug, info, warn or error", name)
	}
	return level, nil
}

// levelOf is what a level of ganesha's is here.
func levelOf(ganesha string) string {
	switch ganesha {
	case "NULL", "FATAL", "MAJ", "CRIT":
		return "error"
	case "WARN":
		return "warn"
	case "EVENT", "INFO":
		return "info"
	}
	return "debug"
}
